// Whatever goes wrong on the way: the right bytes, or one clear line and nothing half-written under
// a final name. Method: a stub hub that is told what to do wrong, and how often.
#include <doctest/doctest.h>

#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <future>
#include <string>
#include <thread>

#include "hub/content_hash.h"
#include "hub/hub_cache.h"
#include "hub/stub_hub.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::string kWeights = varied_bytes(300'000);
constexpr char kFile[] = "model.safetensors";

/// A hub with one model, and an empty cache.
struct Scene {
  Scene() { hub.add_model("Org/Tiny", kWeights); }

  /// Downloads, and checks that it fails in one line that has `words`; returns the error.
  Error fails(const std::string& words, const std::string& name = "Org/Tiny") {
    cache.settings.token = "hf_secret";
    const auto fetched = cache.fetch(name);
    REQUIRE(!fetched);
    const std::string& message = fetched.error().message;
    INFO("message: " << message);
    CHECK(message.starts_with("download " + name + ": "));
    CHECK(message.find(words) != std::string::npos);
    CHECK(message.find('\n') == std::string::npos);
    CHECK(message.find("hf_secret") == std::string::npos);
    CHECK(cache.file(kFile) == "");
    for (const std::string& blob : cache.paths("blobs")) {
      if (!blob.ends_with(".incomplete")) CHECK(is_right(blob));
    }
    return fetched.error();
  }

  void succeeds() {
    const auto fetched = cache.fetch("Org/Tiny");
    REQUIRE_MESSAGE(fetched, fetched.error().message);
    CHECK(cache.file(kFile) == kWeights);
    CHECK(!cache.has_partial_file());
  }

  bool is_right(const std::string& blob) const {
    const fs::path path = HubCache(cache.settings.cache, "Org/Tiny").blob(blob);
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    ContentHash hash(blob, bytes.size());
    hash.add(std::as_bytes(std::span(bytes)));
    return hash.is_right();
  }

  std::vector<std::string> ranges() const {
    std::vector<std::string> all;
    for (const SeenRequest& request : hub.downloads_of(kFile)) all.push_back(request.range);
    return all;
  }

  fs::path partial() const {
    for (const std::string& blob : cache.paths("blobs")) {
      if (blob.ends_with(".incomplete"))
        return HubCache(cache.settings.cache, "Org/Tiny").blobs() / blob;
    }
    return {};
  }

  StubHub hub;
  TestCache cache{hub};
};

json store_fault(json rule) {
  rule["path"] = kFile;
  rule["host"] = "store";
  return json::array({rule});
}

TEST_CASE("a connection that is cut is taken up where it ended") {
  Scene scene;
  scene.hub.order(store_fault({{"do", "cut"}, {"after", 100'000}, {"times", 2}}));
  scene.succeeds();
  CHECK(scene.ranges() == std::vector<std::string>{"", "bytes=100000-", "bytes=200000-"});
}

TEST_CASE("a connection that is cut before its first byte, again and again, is given up") {
  Scene scene;
  scene.hub.order(store_fault({{"do", "cut"}, {"after", 0}}));
  CHECK(scene.fails("model.safetensors: ").code == Code::kIo);
  CHECK(scene.ranges().size() == scene.cache.settings.retry.tries);
  CHECK(!scene.cache.has_partial_file());
}

TEST_CASE("what came before the end of all tries is kept, and the next run goes on") {
  Scene scene;
  scene.hub.order(store_fault({{"do", "cut"}, {"after", 50'000}}));
  scene.fails("then run this again (200000 of 300000 bytes are kept)");
  scene.hub.order(json::array());
  scene.succeeds();
  CHECK(scene.ranges().back() == "bytes=200000-");
}

TEST_CASE("a line that breaks often still gets there, as long as each try brings something on") {
  Scene scene;
  const std::string weights = varied_bytes(10 << 20);
  scene.hub.add("Org/Tiny", kFile, weights);
  scene.cache.settings.retry.tries = 2;
  scene.hub.order(store_fault({{"do", "cut"}, {"after", 1 << 20}}));
  const auto fetched = scene.cache.fetch("Org/Tiny");
  REQUIRE_MESSAGE(fetched, fetched.error().message);
  CHECK(scene.cache.file(kFile) == weights);
  CHECK(scene.ranges().size() == 10);
}

TEST_CASE("a server that ignores the range gives the whole file again") {
  Scene scene;
  scene.hub.order(
      {{{"path", kFile}, {"host", "store"}, {"do", "cut"}, {"after", 9999}, {"times", 1}},
       {{"path", kFile}, {"host", "store"}, {"do", "whole"}}});
  scene.succeeds();
  CHECK(scene.ranges() == std::vector<std::string>{"", "bytes=9999-"});
}

TEST_CASE("a server that gives another range is not believed") {
  Scene scene;
  scene.hub.order(
      {{{"path", kFile}, {"host", "store"}, {"do", "cut"}, {"after", 9999}, {"times", 1}},
       {{"path", kFile}, {"host", "store"}, {"do", "wrong-range"}, {"times", 1}}});
  scene.succeeds();
}

TEST_CASE("wrong content is thrown away: once it is fetched again, twice it is an error") {
  Scene scene;
  scene.hub.order(store_fault({{"do", "garbage"}}));
  CHECK(scene.fails("their hash is").code == Code::kCorrupt);
  CHECK(!scene.cache.has_partial_file());
  CHECK(scene.ranges().size() == 2);

  scene.hub.order(store_fault({{"do", "garbage"}, {"times", 1}, {"from", 1}}));
  scene.succeeds();
}

TEST_CASE("wrong content of a small file is found by git's hash") {
  Scene scene;
  scene.hub.order({{{"path", "tokenizer.json"}, {"method", "GET"}, {"do", "garbage"}}});
  CHECK(scene.fails("tokenizer.json: the bytes that came are not").code == Code::kCorrupt);
}

TEST_CASE("a file that is longer or shorter than promised is not taken") {
  Scene scene;
  scene.hub.order(store_fault({{"do", "long"}}));
  CHECK(scene.fails("more bytes came than the 300000").code == Code::kCorrupt);
  scene.hub.order(store_fault({{"do", "short"}}));
  scene.fails("the hub does not go on where it ended");
  scene.hub.order(json::array());
  scene.succeeds();
}

TEST_CASE("a hub that is overloaded is asked again") {
  for (const int status : {429, 500, 502, 503, 504, 408}) {
    CAPTURE(status);
    Scene scene;
    scene.hub.order(
        {{{"do", "status"}, {"status", status}, {"times", 1}},
         {{"path", kFile}, {"method", "GET"}, {"do", "status"}, {"status", status}, {"times", 2}}});
    scene.succeeds();
  }
}

TEST_CASE("a hub that stays overloaded is given up, with its answer") {
  Scene scene;
  scene.hub.order({{{"path", kFile}, {"host", "store"}, {"do", "status"}, {"status", 503}}});
  CHECK(scene.fails("answered HTTP 503").code == Code::kIo);
  CHECK(scene.hub.downloads_of(kFile).size() == scene.cache.settings.retry.tries);
}

TEST_CASE("a hub that says how long to wait is waited for, unless it is too long") {
  Scene scene;
  const auto begin = std::chrono::steady_clock::now();
  scene.hub.order(store_fault(
      {{"do", "status"}, {"status", 429}, {"times", 1}, {"headers", {{"Retry-After", "1"}}}}));
  scene.succeeds();
  CHECK(std::chrono::steady_clock::now() - begin >= std::chrono::seconds(1));

  Scene patient;
  patient.hub.order({{{"do", "status"}, {"status", 429}, {"headers", {{"Retry-After", "9999"}}}}});
  patient.fails("asks to wait 9999 s; run this again later");
  CHECK(patient.hub.seen().size() == 1);
}

TEST_CASE("a server that stalls or trickles is left and asked again") {
  Scene scene;
  scene.hub.order({{{"path", kFile}, {"host", "store"}, {"do", "stall"}, {"times", 1}},
                   {{"path", kFile},
                    {"host", "store"},
                    {"do", "slow"},
                    {"part", 10},
                    {"seconds", 0.1},
                    {"times", 1}}});
  scene.succeeds();
  CHECK(scene.ranges().size() == 3);

  Scene endless;
  endless.cache.settings.retry.tries = 2;
  endless.hub.order(store_fault({{"do", "stall"}}));
  CHECK(endless.fails("model.safetensors: ").code == Code::kIo);
}

TEST_CASE("a gated model says where its licence is, and what the token lacks") {
  Scene scene;
  scene.hub.order({{{"do", "status"},
                    {"status", 403},
                    {"path", "resolve"},
                    {"headers", {{"X-Error-Code", "GatedRepo"}}}}});
  const auto without = scene.cache.fetch("Org/Tiny");
  REQUIRE(!without);
  CHECK(without.error().code == Code::kNotFound);
  CHECK(without.error().message.find(scene.hub.url() + "/Org/Tiny, then set HF_TOKEN") !=
        std::string::npos);
  scene.fails("with the account that the token belongs to");
}

TEST_CASE("a model, a revision, a file that is not there is named") {
  Scene scene;
  CHECK(scene.fails("there is no such model", "Org/Nothing").code == Code::kNotFound);
  CHECK(scene.fails("it has no revision \"v9\"", "Org/Tiny@v9").code == Code::kNotFound);
  CHECK(scene.fails("it has no file \"x.gguf\"", "Org/Tiny:x.gguf").code == Code::kNotFound);
  scene.hub.order(
      {{{"do", "status"},
        {"status", 401},
        {"headers", {{"X-Error-Message", "Invalid credentials in Authorization header"}}}}});
  scene.fails("does not know the token");
}

TEST_CASE("a file that changes between two requests is not mixed") {
  Scene scene;
  scene.hub.order({{{"path", kFile},
                    {"method", "GET"},
                    {"host", "hub"},
                    {"do", "etag"},
                    {"etag", std::string(64, 'a')}}});
  CHECK(scene.fails("changed on the hub at this moment").code == Code::kIo);
  scene.hub.order({{{"path", kFile}, {"do", "commit"}, {"commit", std::string(40, 'b')}}});
  CHECK(scene.fails("changed at this moment").code == Code::kIo);
  scene.hub.order(json::array());
  scene.succeeds();
}

TEST_CASE("what an interrupted download has is kept, and the next one goes on") {
  Scene scene;
  scene.hub.order(store_fault({{"do", "slow"}, {"part", 20'000}, {"seconds", 0.05}}));
  scene.cache.progress = [](const FetchProgress& now) { return now.bytes_come < 60'000; };
  CHECK(scene.fails("interrupted; what has come is kept").code == Code::kInterrupted);
  const uint64_t kept = fs::file_size(scene.partial());
  CHECK(kept >= 60'000);
  CHECK(kept < kWeights.size());

  scene.cache.progress = [](const FetchProgress&) { return true; };
  scene.hub.order(json::array());
  scene.succeeds();
  CHECK(scene.ranges().back() == "bytes=" + std::to_string(kept) + "-");
}

TEST_CASE("an interrupt ends waiting, too") {
  Scene scene;
  scene.cache.settings.retry.first_wait = std::chrono::hours(1);
  scene.cache.settings.retry.longest_wait = std::chrono::hours(1);
  scene.hub.order({{{"do", "status"}, {"status", 503}}});
  int asked = 0;
  scene.cache.progress = [&](const FetchProgress&) { return ++asked < 3; };
  CHECK(scene.fails("interrupted").code == Code::kInterrupted);
}

TEST_CASE("two downloads of one model at once fetch each byte once") {
  Scene scene;
  scene.hub.order(store_fault({{"do", "slow"}, {"part", 50'000}, {"seconds", 0.05}}));
  auto other = std::async(std::launch::async, [&] { return scene.cache.fetch("Org/Tiny"); });
  const auto one = scene.cache.fetch("Org/Tiny");
  CHECK(one);
  CHECK(other.get());
  CHECK(scene.cache.file(kFile) == kWeights);
  CHECK(scene.hub.downloads_of(kFile).size() == 1);
}

TEST_CASE("a partial file that is not of this blob is found out and replaced") {
  Scene scene;
  scene.hub.order(store_fault({{"do", "cut"}, {"after", 1000}}));
  scene.fails("bytes are kept");
  std::ofstream(scene.partial(), std::ios::binary) << std::string(2000, 'x');
  scene.hub.order(json::array());
  scene.succeeds();

  Scene longer;
  longer.hub.order(store_fault({{"do", "cut"}, {"after", 1000}}));
  longer.fails("bytes are kept");
  std::ofstream(longer.partial(), std::ios::binary) << std::string(400'000, 'x');
  longer.hub.order(json::array());
  longer.succeeds();
}

TEST_CASE("a disk that is full ends it at once, and what has come is kept") {
  Scene scene;
  struct rlimit before {};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small { 100'000, before.rlim_max };
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const Error error = scene.fails("write ");
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, handler);
  CHECK(error.code == Code::kIo);
  CHECK(scene.ranges().size() == 1);
  scene.succeeds();
}

TEST_CASE("a model that does not fit on the disk is refused before its weights come") {
  Scene scene;
  scene.hub.order({{{"path", kFile}, {"do", "size"}, {"size", uint64_t{1} << 49}}});
  CHECK(scene.fails("set HF_HUB_CACHE to a directory on another disk").code == Code::kIo);
  CHECK(scene.hub.downloads_of(kFile).empty());

  Scene absurd;
  absurd.hub.order({{{"path", kFile}, {"do", "size"}, {"size", uint64_t{1} << 63}}});
  CHECK(absurd.fails("no size for model.safetensors").code == Code::kCorrupt);
}

TEST_CASE("a description that is larger than any reader takes is not fetched") {
  Scene scene;
  scene.hub.add("Org/Tiny", "tokenizer.json", varied_bytes(5000));
  scene.hub.order({{{"path", "tokenizer.json"}, {"do", "size"}, {"size", uint64_t{1} << 30}}});
  CHECK(scene.fails("accepted: 268435456").code == Code::kUnsupported);
  CHECK(scene.hub.downloads_of("tokenizer.json").empty());
}

}  // namespace
}  // namespace ovenbird
