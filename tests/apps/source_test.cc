// Sources: paths as they are, models from the hub's cache, and words that help when there is
// neither.
#include "source.h"

#include <stdlib.h>

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "hub/cached_model.h"
#include "support/temporary_directory.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

constexpr char kCommit[] = "0123456789abcdef0123456789abcdef01234567";

/// A hub cache with one snapshot of "Org/Tiny-1.0".
class Cache {
 public:
  Cache() {
    fs::create_directories(snapshot());
    fs::create_directories(model() / "refs");
    directory_.write("models--Org--Tiny-1.0/refs/main", std::string(kCommit) + "\n");
    for (const char* name : {"config.json", "model.safetensors", "tiny.gguf"}) write(name, "x");
    ::setenv("HF_HUB_CACHE", directory_.path().c_str(), 1);
  }
  ~Cache() { ::unsetenv("HF_HUB_CACHE"); }

  fs::path model() const { return directory_.path() / "models--Org--Tiny-1.0"; }
  fs::path snapshot() const { return model() / "snapshots" / kCommit; }
  void write(const std::string& name, const std::string& text) const {
    directory_.write((snapshot() / name).lexically_relative(directory_.path()).string(), text);
  }
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

TEST_CASE("a model is found in the hub's cache, by main, by commit, by a GGUF's name") {
  const Cache cache;

  const auto source = find_source("Org/Tiny-1.0");
  const auto by_commit = find_source("Org/Tiny-1.0@" + std::string(kCommit));
  const auto gguf = find_source("Org/Tiny-1.0:tiny.gguf");

  REQUIRE(source);
  CHECK(source->path == cache.snapshot());
  CHECK(source->name == "Tiny-1.0");
  REQUIRE(by_commit);
  CHECK(by_commit->path == cache.snapshot());
  REQUIRE(gguf);
  CHECK(gguf->path == cache.snapshot() / "tiny.gguf");
  CHECK(gguf->name == "tiny");
}

TEST_CASE("a snapshot without weights is a source of a tokenizer, and of no bake") {
  const Cache cache;
  const HubCache layout(cache.directory().path(), "Org/Tiny-1.0");
  const ModelName model{.id = "Org/Tiny-1.0", .revision = {}, .file = {}};
  CHECK(find_cached_model(layout, model));

  fs::remove(cache.snapshot() / "model.safetensors");
  CHECK(find_source("Org/Tiny-1.0"));
  CHECK(!find_cached_model(layout, model));

  cache.write("model.safetensors.index.json", R"({"weight_map": {"a": "m-1.safetensors"}})");
  CHECK(!find_cached_model(layout, model));
  fs::create_symlink("../../blobs/gone", cache.snapshot() / "m-1.safetensors");
  CHECK(!find_cached_model(layout, model));
  fs::remove(cache.snapshot() / "m-1.safetensors");
  cache.write("m-1.safetensors", "x");
  CHECK(find_cached_model(layout, model));
  CHECK(!find_source("Org/Tiny-1.0:other.gguf"));
}

TEST_CASE("a model that is not in the cache says who downloads") {
  const Cache cache;

  const auto source = find_source("Org/Other");

  REQUIRE(!source);
  CHECK(source.error().code == Code::kNotFound);
  CHECK(source.error().message.find("no snapshot of its revision \"main\"") != std::string::npos);
  CHECK(source.error().message.find("only bake downloads") != std::string::npos);
}

TEST_CASE("a reference that leads elsewhere is not followed") {
  const Cache cache;
  for (const char* reference : {"", "../../..", "/etc", "0123/../..", "0123"}) {
    CAPTURE(reference);
    cache.directory().write("models--Org--Tiny-1.0/refs/main", reference);
    CHECK(!find_source("Org/Tiny-1.0"));
  }
}

TEST_CASE("a path that is not there is called a path, not a model") {
  for (const char* path : {"./nothing", "/nothing/here", "a/b/c", "../x", "no such", "tiny.gguf"}) {
    CAPTURE(path);
    const auto source = find_source(path);
    REQUIRE(!source);
    CHECK(source.error().code == Code::kNotFound);
    CHECK(source.error().message.find("only bake downloads") == std::string::npos);
  }
}

}  // namespace
}  // namespace ovenbird
