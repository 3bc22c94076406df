// The blob cache: what was stored is found, what was damaged is not.
#include "engine/blob_cache.h"

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "engine/baked.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

void store(const BlobCache& cache, const std::string& key, const std::string& blob) {
  cache.store(key, [&](std::ostream& out) { out << blob; });
}

std::string found(const BlobCache& cache, const std::string& key) {
  const std::optional<MappedFile> blob = cache.find(key);
  if (!blob) return "none";
  return {reinterpret_cast<const char*>(blob->bytes().data()), blob->bytes().size()};
}

std::vector<fs::path> files_in(const fs::path& directory) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory)) files.push_back(entry.path());
  return files;
}

void flip(const fs::path& path, uintmax_t at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(at));
  const auto byte = static_cast<char>(file.get() ^ 1);
  file.seekp(static_cast<std::streamoff>(at));
  file.put(byte);
}

TEST_CASE("a blob is found by its key, and by no other") {
  const TemporaryDirectory temp;
  const BlobCache cache(temp.path() / "cache");
  CHECK(found(cache, "a") == "none");
  store(cache, "a", "first");
  store(cache, "b", "");
  CHECK(found(cache, "a") == "first");
  CHECK(found(cache, "b") == "");
  CHECK(found(cache, "c") == "none");
  store(cache, "a", "second");
  CHECK(found(cache, "a") == "second");
  CHECK(files_in(temp.path() / "cache").size() == 2);
  cache.remove("a");
  CHECK(found(cache, "a") == "none");
  CHECK(found(cache, "b") == "");
}

TEST_CASE("a blob that was cut off, lengthened or changed in any byte is not found") {
  const std::string blob = "a blob whose length is no multiple of anything: 67 bytes, and a tail";
  for (size_t at = 0; at < blob.size(); ++at) {
    const TemporaryDirectory temp;
    const BlobCache cache(temp.path());
    store(cache, "a", blob);
    flip(files_in(temp.path()).at(0), at);
    CHECK(found(cache, "a") == "none");
  }
  for (const size_t size : {size_t{0}, blob.size() - 1, blob.size() + 1}) {
    const TemporaryDirectory temp;
    const BlobCache cache(temp.path());
    store(cache, "a", blob);
    fs::resize_file(files_in(temp.path()).at(0), size);
    CHECK(found(cache, "a") == "none");
    store(cache, "a", blob);
    CHECK(found(cache, "a") == blob);
    CHECK(files_in(temp.path()).size() == 1);
  }
}

TEST_CASE("a cache that cannot be written is no error") {
  const TemporaryDirectory temp;
  temp.write("file", "");
  const BlobCache under_file(temp.path() / "file" / "cache");
  store(under_file, "a", "blob");
  CHECK(found(under_file, "a") == "none");
  under_file.remove("a");

  const BlobCache cache(temp.path() / "cache");
  cache.store("a", [](std::ostream&) { throw std::runtime_error("cannot be exported"); });
  cache.store("b", [](std::ostream& out) { out.setstate(std::ios::badbit); });
  CHECK(files_in(temp.path() / "cache").empty());
}

TEST_CASE("what a crashed process was writing is removed an hour later") {
  const TemporaryDirectory temp;
  const fs::path old = temp.write("0123-77-0.tmp", "half a blob");
  const fs::path fresh = temp.write("0123-78-0.tmp", "half a blob");
  fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(2));
  store(BlobCache(temp.path()), "a", "blob");
  CHECK(!fs::exists(old));
  CHECK(fs::exists(fresh));
}

TEST_CASE("threads that store one blob at once do not write into one another's files") {
  const TemporaryDirectory temp;
  const BlobCache cache(temp.path());
  std::vector<std::jthread> threads;
  for (char letter = 'a'; letter < 'e'; ++letter) {
    threads.emplace_back([&cache, letter] {
      for (int round = 0; round < 50; ++round) {
        store(cache, "key", std::string(10'000, letter));
        const std::string blob = found(cache, "key");
        if (blob != "none") CHECK(blob == std::string(10'000, blob[0]));
      }
    });
  }
  threads.clear();
  CHECK(found(cache, "key").size() == 10'000);
}

// --- with a device

const Baked& tiny() {
  static const Baked baked("llama_gqa");
  return baked;
}

void forget_blobs() { fs::remove_all(tiny().open().cache_directory()); }

/// Runs one window and gives its last row of logits.
std::vector<float> window_logits(bool blob_cache = true) {
  EngineOptions options = on_device("window");
  options.blob_cache = blob_cache;
  const OpenedPlan opened(tiny(), options);
  const std::vector<int32_t> ids = {5, 6, 7};
  const Result<Logits> logits = opened.plan->step(ids, LogitRows::kLast);
  if (!logits) FAIL(logits.error().message);
  return {logits->values.begin(), logits->values.end()};
}

TEST_CASE("the second start uses the first one's blob and gives the same logits") {
  forget_blobs();
  const std::vector<float> first = window_logits();
  const std::vector<fs::path> blobs = files_in(tiny().open().cache_directory());
  REQUIRE(blobs.size() == 1);
  const auto written = fs::last_write_time(blobs[0]);
  // Without the graph there is nothing to compile: what starts now, starts from the blob.
  const fs::path graph = tiny().open().file(kWindowGraphName);
  std::ifstream in(graph);
  const std::string xml{std::istreambuf_iterator<char>(in), {}};
  std::ofstream(graph) << std::string(xml.size(), ' ');

  CHECK(window_logits() == first);

  std::ofstream(graph) << xml;
  CHECK(files_in(tiny().open().cache_directory()) == blobs);
  CHECK(fs::last_write_time(blobs[0]) == written);
}

TEST_CASE("a damaged blob is replaced, and the answer stays the same") {
  const std::vector<float> wanted = window_logits(false);
  for (const double place : {0.0, 0.3, 0.6, 0.999}) {
    forget_blobs();
    window_logits();
    const fs::path blob = files_in(tiny().open().cache_directory()).at(0);
    flip(blob, static_cast<uintmax_t>(place * double(fs::file_size(blob))));
    CHECK(window_logits() == wanted);
    CHECK(files_in(tiny().open().cache_directory()).size() == 1);
  }
  for (const uintmax_t size : {0, 1, 1000}) {
    const fs::path blob = files_in(tiny().open().cache_directory()).at(0);
    fs::resize_file(blob, size);
    CHECK(window_logits() == wanted);
  }
}

TEST_CASE("a blob that the device does not take is made again") {
  forget_blobs();
  const std::vector<float> wanted = window_logits();
  const fs::path blob = files_in(tiny().open().cache_directory()).at(0);
  // Whole by its checksum, and nonsense: as from a plugin that writes another format.
  const TemporaryDirectory temp;
  store(BlobCache(temp.path()), "any", std::string(5000, 'x'));
  const std::string name = files_in(temp.path()).at(0).filename().string();
  const fs::path forged =
      blob.parent_path() / (blob.filename().string().substr(0, 32) + name.substr(32));
  fs::rename(files_in(temp.path()).at(0), forged);
  fs::remove(blob);

  CHECK(window_logits() == wanted);
  CHECK(!fs::exists(forged));
  CHECK(files_in(tiny().open().cache_directory()).size() == 1);
}

TEST_CASE("a cache directory that cannot be made is no error, nor is one that is not wanted") {
  forget_blobs();
  const std::vector<float> wanted = window_logits(false);
  CHECK(!fs::exists(tiny().open().cache_directory()));
  std::ofstream(tiny().open().cache_directory()) << "a file where the directory should be";
  CHECK(window_logits() == wanted);
  forget_blobs();
}

TEST_CASE("two processes that start at once both answer, and leave whole blobs") {
  forget_blobs();
  std::vector<pid_t> children;
  for (int child = 0; child < 2; ++child) {
    // OpenVINO has threads in this process by now, so the child must be a program of its own.
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      ::setenv("OVENBIRD_TEST_BUNDLE", tiny().path().c_str(), 1);
      ::execl("/proc/self/exe", "engine_test", "--no-skip",
              "-tc=run a window of the bundle that is named in the environment",
              static_cast<char*>(nullptr));
      ::_exit(127);
    }
    children.push_back(pid);
  }
  for (const pid_t child : children) {
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
  }
  const std::vector<fs::path> blobs = files_in(tiny().open().cache_directory());
  CHECK(!blobs.empty());
  for (const fs::path& blob : blobs) CHECK(blob.extension() == ".blob");
  CHECK(window_logits() == window_logits(false));
}

TEST_CASE("run a window of the bundle that is named in the environment" * doctest::skip()) {
  const char* path = std::getenv("OVENBIRD_TEST_BUNDLE");
  REQUIRE(path);
  Result<Bundle> bundle = Bundle::open(path);
  REQUIRE(bundle);
  const std::unique_ptr<Engine> engine = open_or_fail(*bundle, on_device("window"));
  const auto plan = make_plan("window", *engine, bundle->manifest());
  REQUIRE(plan);
  const std::vector<int32_t> ids = {5, 6, 7};
  CHECK((*plan)->step(ids, LogitRows::kLast));
}

}  // namespace
}  // namespace ovenbird
