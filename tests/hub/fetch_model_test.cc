// A model comes from the hub into the cache: what is needed, once, checked, in the shared layout.
// Method: a stub hub on loopback that writes down what it was asked.
#include "hub/fetch_model.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>

#include "hub/cached_model.h"
#include "hub/hub_cache.h"
#include "hub/stub_hub.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

const std::string kWeights = varied_bytes(300'000);

std::set<std::string> downloaded(const StubHub& hub) {
  std::set<std::string> names;
  for (const SeenRequest& request : hub.seen()) {
    if (request.method != "GET" || request.path.starts_with("/api/")) continue;
    names.insert(fs::path(request.path).filename());
  }
  return names;
}

TEST_CASE("what bake reads is downloaded, and nothing else") {
  const StubHub hub;
  hub.add_model("Org/Tiny", kWeights);
  TestCache cache(hub);

  const auto fetched = cache.fetch("Org/Tiny");

  REQUIRE_MESSAGE(fetched, fetched.error().message);
  CHECK(fetched->note == "");
  CHECK(downloaded(hub) == std::set<std::string>{"config.json", "generation_config.json",
                                                 "tokenizer.json", "tokenizer_config.json",
                                                 "chat_template.jinja", "model.safetensors"});
  CHECK(cache.file("model.safetensors") == kWeights);
  CHECK(cache.file("tokenizer.json") == "{\"model\": {}}");
}

TEST_CASE("the cache has the layout that all programs share") {
  const StubHub hub;
  hub.add_model("Org/Tiny", kWeights);
  TestCache cache(hub);

  const auto fetched = cache.fetch("Org/Tiny");

  REQUIRE(fetched);
  const HubCache layout(cache.settings.cache, "Org/Tiny");
  const auto commit = layout.commit_of("main");
  REQUIRE(commit);
  CHECK(fetched->path == cache.settings.cache / "models--Org--Tiny" / "snapshots" / *commit);
  const fs::path link = fs::read_symlink(fetched->path / "model.safetensors");
  CHECK(link.string().starts_with("../../blobs/"));
  CHECK(link.filename().string().size() == 64);
  // printf '{"eos_token_id": 2}' | git hash-object --stdin
  CHECK(fs::read_symlink(fetched->path / "generation_config.json").filename() ==
        "dbd522d27b497cd2e971a0f695a00e48e0fbad12");
  CHECK(fs::exists(cache.settings.cache / ".locks" / "models--Org--Tiny"));
  CHECK(!cache.has_partial_file());
}

TEST_CASE("what is in the cache already is not downloaded again") {
  const StubHub hub;
  hub.add_model("Org/Tiny", kWeights);
  TestCache cache(hub);
  REQUIRE(cache.fetch("Org/Tiny"));
  const size_t before = hub.seen().size();

  const auto again = cache.fetch("Org/Tiny");

  CHECK(again);
  CHECK(hub.seen().size() == before + 1);  // which commit main is now
}

TEST_CASE("a new commit brings what has changed, and leaves the rest") {
  const StubHub hub;
  hub.add_model("Org/Tiny", kWeights);
  TestCache cache(hub);
  const auto first = cache.fetch("Org/Tiny");
  hub.add("Org/Tiny", "config.json", "{\"model_type\": \"qwen2\"}");

  const auto second = cache.fetch("Org/Tiny");

  REQUIRE(first);
  REQUIRE(second);
  CHECK(first->path != second->path);
  CHECK(hub.downloads_of("model.safetensors").size() == 1);
  CHECK(hub.downloads_of("config.json").size() == 2);
  CHECK(fs::exists(first->path / "config.json"));
  CHECK(fs::exists(second->path / "model.safetensors"));
}

TEST_CASE("the shards that an index names come, and no others") {
  const StubHub hub;
  hub.add_model("Org/Big", "x");
  hub.add("Org/Big", "model.safetensors.index.json",
          R"({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors",
              "c": "model-1.safetensors"}})");
  hub.add("Org/Big", "model-1.safetensors", varied_bytes(50'000, 1));
  hub.add("Org/Big", "model-2.safetensors", varied_bytes(60'000, 2));
  hub.add("Org/Big", "model-3.safetensors", varied_bytes(70'000, 3));
  // Where the single file is, the index is not asked; so it is taken away.
  hub.order({{{"do", "listing"},
              {"listing",
               {{"siblings",
                 {{{"rfilename", "config.json"}},
                  {{"rfilename", "model.safetensors.index.json"}},
                  {{"rfilename", "model-1.safetensors"}},
                  {{"rfilename", "model-2.safetensors"}},
                  {{"rfilename", "model-3.safetensors"}}}}}}}});
  TestCache cache(hub);

  const auto fetched = cache.fetch("Org/Big");

  REQUIRE_MESSAGE(fetched, fetched.error().message);
  CHECK(cache.file("model-1.safetensors") == varied_bytes(50'000, 1));
  CHECK(cache.file("model-2.safetensors") == varied_bytes(60'000, 2));
  CHECK(hub.downloads_of("model-3.safetensors").empty());
}

TEST_CASE("a GGUF is named, in a folder or not, and comes alone") {
  const StubHub hub;
  hub.add("Org/Tiny-GGUF", "tiny-q4_0.gguf", varied_bytes(9000));
  hub.add("Org/Tiny-GGUF", "more/tiny q8+0.gguf", varied_bytes(9001));
  hub.add("Org/Tiny-GGUF", "config.json", "{}");
  TestCache cache(hub);

  const auto flat = cache.fetch("Org/Tiny-GGUF:tiny-q4_0.gguf");
  const auto deep = cache.fetch("Org/Tiny-GGUF:more/tiny q8+0.gguf");

  REQUIRE_MESSAGE(flat, flat.error().message);
  REQUIRE_MESSAGE(deep, deep.error().message);
  CHECK(flat->path.filename() == "tiny-q4_0.gguf");
  CHECK(cache.file("tiny-q4_0.gguf") == varied_bytes(9000));
  CHECK(fs::read_symlink(deep->path).string().starts_with("../../../blobs/"));
  CHECK(downloaded(hub) == std::set<std::string>{"tiny-q4_0.gguf", "tiny q8+0.gguf"});
}

TEST_CASE("a model of OpenVINO comes with its tokenizer") {
  const StubHub hub;
  for (const char* name : {"openvino_model.xml", "openvino_model.bin", "openvino_config.json",
                           "config.json", "tokenizer.json", "openvino_tokenizer.xml"}) {
    hub.add("Org/Tiny-ov", name, name);
  }
  TestCache cache(hub);

  REQUIRE(cache.fetch("Org/Tiny-ov"));

  CHECK(downloaded(hub) == std::set<std::string>{"openvino_model.xml", "openvino_model.bin",
                                                 "openvino_config.json", "config.json",
                                                 "tokenizer.json"});
}

TEST_CASE("a branch, a tag and a commit are asked for by name") {
  const StubHub hub;
  hub.add_model("Org/Tiny", kWeights);
  TestCache cache(hub);

  REQUIRE(cache.fetch("Org/Tiny@refs/pr/1"));
  const HubCache layout(cache.settings.cache, "Org/Tiny");
  const auto commit = layout.commit_of("refs/pr/1");
  REQUIRE(commit);
  CHECK(!layout.commit_of("main"));
  CHECK(hub.seen().front().path == "/api/models/Org/Tiny/revision/refs/pr/1");
  const size_t before = hub.seen().size();

  const auto by_commit = cache.fetch("Org/Tiny@" + *commit);

  CHECK(by_commit);
  CHECK(hub.seen().size() == before);  // a commit that is there needs no hub
}

TEST_CASE("offline, the cache answers, and says so when it cannot") {
  const StubHub hub;
  hub.add_model("Org/Tiny", kWeights);
  TestCache cache(hub);
  cache.settings.offline = true;

  const auto without = cache.fetch("Org/Tiny");
  REQUIRE(!without);
  CHECK(without.error().code == Code::kNotFound);
  CHECK(without.error().message.find("HF_HUB_OFFLINE") != std::string::npos);
  CHECK(hub.seen().empty());

  cache.settings.offline = false;
  REQUIRE(cache.fetch("Org/Tiny"));
  cache.settings.offline = true;
  const size_t before = hub.seen().size();
  CHECK(cache.fetch("Org/Tiny"));
  CHECK(hub.seen().size() == before);
}

TEST_CASE("a hub that cannot be asked is no obstacle to what is in the cache") {
  const StubHub hub;
  hub.add_model("Org/Tiny", kWeights);
  TestCache cache(hub);
  REQUIRE(cache.fetch("Org/Tiny"));
  hub.order({{{"do", "status"}, {"status", 503}}});

  const auto fetched = cache.fetch("Org/Tiny");

  REQUIRE(fetched);
  CHECK(fetched->note.find("HTTP 503") != std::string::npos);
  CHECK(!cache.fetch("Org/Other"));
}

TEST_CASE("progress counts every byte, and names every file once") {
  const StubHub hub;
  hub.add_model("Org/Tiny", kWeights);
  TestCache cache(hub);
  std::multiset<std::string> names;
  uint64_t come = 0;
  uint64_t total = 0;
  cache.progress = [&](const FetchProgress& now) {
    for (const FetchedFile& file : now.fetched) names.insert(file.name);
    come = now.bytes_come;
    total = now.bytes_total;
    return true;
  };

  REQUIRE(cache.fetch("Org/Tiny"));

  CHECK(names.size() == 6);
  CHECK(names.count("model.safetensors") == 1);
  CHECK(come == total);
  CHECK(total > kWeights.size());
}

TEST_CASE("the token goes to the hub and never to the store") {
  const StubHub hub;
  hub.add_model("Org/Tiny", kWeights);
  TestCache cache(hub);
  cache.settings.token = "hf_secret";

  REQUIRE(cache.fetch("Org/Tiny"));

  size_t stored = 0;
  for (const SeenRequest& request : hub.seen()) {
    CAPTURE(request.path);
    CHECK(request.token == (request.host == "hub" ? "Bearer hf_secret" : ""));
    stored += request.host == "store" ? 1 : 0;
  }
  CHECK(stored == 1);
}

}  // namespace
}  // namespace ovenbird
