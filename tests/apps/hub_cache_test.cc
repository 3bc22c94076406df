// Sources: paths as they are, ids from the hub cache, and words that help when there is neither.
#include "hub_cache.h"

#include <stdlib.h>

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "support/temporary_directory.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

constexpr char kCommit[] = "0123456789abcdef0123456789abcdef01234567";

/// A hub cache with one snapshot of "Org/Tiny-1.0".
class HubCache {
 public:
  HubCache() {
    fs::create_directories(snapshot());
    fs::create_directories(model() / "refs");
    directory_.write("models--Org--Tiny-1.0/refs/main", std::string(kCommit) + "\n");
    ::setenv("HF_HUB_CACHE", directory_.path().c_str(), 1);
  }
  ~HubCache() { ::unsetenv("HF_HUB_CACHE"); }

  fs::path model() const { return directory_.path() / "models--Org--Tiny-1.0"; }
  fs::path snapshot() const { return model() / "snapshots" / kCommit; }
  const TemporaryDirectory& directory() const { return directory_; }

 private:
  TemporaryDirectory directory_;
};

TEST_CASE("a path is taken as it is and gives the bundle its name") {
  const TemporaryDirectory directory;
  fs::create_directory(directory.path() / "Tiny");
  directory.write("Tiny.Q4_1.gguf", "x");

  const auto folder = find_source(directory.path() / "Tiny" / "");
  const auto file = find_source(directory.path() / "Tiny.Q4_1.gguf");

  REQUIRE(folder);
  CHECK(folder->name == "Tiny");
  REQUIRE(file);
  CHECK(file->name == "Tiny.Q4_1");
}

TEST_CASE("an id is found in the hub cache") {
  const HubCache cache;

  const auto source = find_source("Org/Tiny-1.0");

  REQUIRE(source);
  CHECK(source->path == cache.snapshot());
  CHECK(source->name == "Tiny-1.0");
}

TEST_CASE("HF_HOME names the cache's parent") {
  const HubCache cache;
  const TemporaryDirectory home;
  fs::rename(cache.directory().path() / "models--Org--Tiny-1.0", home.path() / "moved");
  fs::create_directory(home.path() / "hub");
  fs::rename(home.path() / "moved", home.path() / "hub" / "models--Org--Tiny-1.0");
  ::unsetenv("HF_HUB_CACHE");
  ::setenv("HF_HOME", home.path().c_str(), 1);

  const auto source = find_source("Org/Tiny-1.0");
  ::unsetenv("HF_HOME");

  REQUIRE(source);
  CHECK(source->path.string().starts_with(home.path().string()));
}

TEST_CASE("an id that is not in the cache says how to get it") {
  const HubCache cache;

  const auto source = find_source("Org/Other");

  REQUIRE(!source);
  CHECK(source.error().code == Code::kNotFound);
  CHECK(source.error().message.find("hf download Org/Other") != std::string::npos);
  CHECK(source.error().message.find("does not download") != std::string::npos);
}

TEST_CASE("a reference that leads elsewhere is not followed") {
  const HubCache cache;
  for (const char* reference : {"", "../../..", "/etc", "0123/../.."}) {
    CAPTURE(reference);
    cache.directory().write("models--Org--Tiny-1.0/refs/main", reference);
    CHECK(!find_source("Org/Tiny-1.0"));
  }
}

TEST_CASE("a path that is not there is called a path, not an id") {
  for (const char* path : {"./nothing", "/nothing/here", "a/b/c", "../x", "no such", "tiny.gguf"}) {
    CAPTURE(path);
    const auto source = find_source(path);
    REQUIRE(!source);
    CHECK(source.error().code == Code::kNotFound);
    CHECK(source.error().message.find("hf download") == std::string::npos);
  }
}

}  // namespace
}  // namespace ovenbird
