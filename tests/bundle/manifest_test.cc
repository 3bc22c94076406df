// The manifest: it comes back as it was written, and a wrong field is called by its name.
#include "bundle/manifest.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "base/limits.h"
#include "bundle/example_manifest.h"

namespace ovenbird {
namespace {

using Json = nlohmann::json;

Manifest with_files() {
  Manifest manifest = example_manifest();
  manifest.files = {{.name = "openvino_model.bin", .bytes = 5, .sha256 = std::string(64, 'a')},
                    {.name = "step_w8.xml", .bytes = 0, .sha256 = std::string(64, '0')}};
  return manifest;
}

Json good_json() { return Json::parse(to_json(with_files())); }

Error error_of(const std::string& text) {
  const Result<Manifest> parsed = parse_manifest(text);
  if (parsed) FAIL("accepted: " << text);
  return parsed.error();
}

TEST_CASE("a manifest comes back as it was written") {
  const std::string text = to_json(with_files());
  const Result<Manifest> again = parse_manifest(text);
  REQUIRE(again);
  CHECK(to_json(*again) == text);
  CHECK(again->target == Target::kCpu);
  CHECK(again->cache_type == CacheType::kF32);
  CHECK(again->model.rope_frequencies == example_manifest().model.rope_frequencies);
  CHECK(again->model.layer_ropes == example_manifest().model.layer_ropes);
  CHECK(again->graphs[1].inputs[0].shape == std::vector<int64_t>{1, 8});
  CHECK(again->graphs[2].inputs[0].shape == std::vector<int64_t>{1, -1});
  CHECK(again->weights[0].group_size == 32);
  CHECK(again->files[0].bytes == 5);
}

TEST_CASE("the other target and cache type come back, too") {
  Manifest manifest = with_files();
  manifest.target = Target::kNpu;
  manifest.cache_type = CacheType::kF16;
  const Result<Manifest> again = parse_manifest(to_json(manifest));
  REQUIRE(again);
  CHECK(again->target == Target::kNpu);
  CHECK(again->cache_type == CacheType::kF16);
}

TEST_CASE("a slot's bytes count keys and values of all layers") {
  CHECK(example_manifest().slot_bytes(64) == 2 * 2 * 64 * 4 * 4);
  CHECK(example_manifest().slot_bytes(0) == 0);
}

TEST_CASE("a graph is found by its file") {
  const Manifest manifest = example_manifest();
  CHECK(manifest.find_graph("step_w8.xml") == &manifest.graphs[1]);
  CHECK(manifest.find_graph("step_w9.xml") == nullptr);
}

TEST_CASE("unknown keys are ignored, at every level") {
  Json json = good_json();
  for (const char* place :
       {"", "/model", "/graphs/0", "/graphs/1/inputs/0", "/weights/0", "/files/1"}) {
    json[Json::json_pointer(place)]["a key of tomorrow"] = {1, 2, 3};
  }
  const Result<Manifest> parsed = parse_manifest(json.dump());
  REQUIRE(parsed);
  CHECK(to_json(*parsed) == to_json(with_files()));
}

TEST_CASE("a newer version is refused before anything else is looked at") {
  const Error error = error_of(R"({"version": 2, "model": "of a kind unknown today"})");
  CHECK(error.code == Code::kUnsupported);
  CHECK(error.message.find("bundle version 2") != std::string::npos);
}

/// A field, a value that it must not have, and how the message calls it.
struct Wrong {
  const char* place;
  Json value;
  const char* name;
};

void check_refused(const Wrong& wrong) {
  Json json = good_json();
  json[Json::json_pointer(wrong.place)] = wrong.value;
  CAPTURE(wrong.place);
  CAPTURE(wrong.value.dump());
  const Result<Manifest> parsed = parse_manifest(json.dump());
  CHECK(!parsed);
  if (parsed) return;
  CHECK(parsed.error().code == Code::kCorrupt);
  CHECK(parsed.error().message.starts_with(std::string("ovenbird.json: ") + wrong.name +
                                           " must be "));
}

TEST_CASE("every field that is missing or of another kind is called by its name") {
  const Json flat = good_json().flatten();
  for (const auto& [place, value] : flat.items()) {
    if (place == "/format") continue;  // for people
    std::string name = place.substr(1);
    // "/graphs/1/width" is graphs[1].width; an entry of an array of numbers is the array's fault.
    for (size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/')) {
      const size_t end = std::min(name.find('/', slash + 1), name.size());
      const std::string part = name.substr(slash + 1, end - slash - 1);
      const bool is_index = part.find_first_not_of("0123456789") == std::string::npos;
      if (is_index && end == name.size()) {
        name.erase(slash);
      } else {
        name.replace(slash, end - slash, is_index ? "[" + part + "]" : "." + part);
      }
    }
    const Json other = value.is_object() || value.is_array() ? Json("") : Json(Json::object());
    check_refused({place.c_str(), other, name.c_str()});
    check_refused({place.c_str(), nullptr, name.c_str()});
  }
}

TEST_CASE("numbers out of their range are called by their names") {
  const Json huge = std::numeric_limits<uint64_t>::max();
  for (const Wrong& wrong : std::initializer_list<Wrong>{
           {"/version", 0, "version"},
           {"/version", -1, "version"},
           {"/version", 1.5, "version"},
           {"/version", huge, "version"},
           {"/model/layers", 0, "model.layers"},
           {"/model/layers", limits::kLayersMax + 1, "model.layers"},
           {"/model/layers", -1, "model.layers"},
           {"/model/hidden", 0, "model.hidden"},
           {"/model/heads", 0, "model.heads"},
           {"/model/heads", huge, "model.heads"},
           {"/model/kv_heads", 0, "model.kv_heads"},
           {"/model/kv_heads", 3, "model.kv_heads"},
           {"/model/heads", limits::kHiddenMax, "model.head_dim"},
           {"/model/head_dim", 0, "model.head_dim"},
           {"/model/head_dim", 1, "model.head_dim"},
           {"/model/head_dim", 2, "model.rope_frequencies"},
           {"/model/rope_frequencies", Json::array(), "model.rope_frequencies"},
           {"/model/layer_ropes", Json::array({"global"}), "model.layer_ropes"},
           {"/model/layer_ropes", Json::array({"global", "spiral"}), "model.layer_ropes"},
           {"/model/local_rope_frequencies", Json::array({1.0}), "model.local_rope_frequencies"},
           {"/model/vocabulary", 0, "model.vocabulary"},
           {"/model/context", 0, "model.context"},
           {"/model/eos_ids", Json::array({1.5}), "model.eos_ids"},
           {"/graphs/1/inputs/0/shape", Json::array({1e300}), "graphs[1].inputs[0].shape"},
           {"/weights/0/group_size", -2, "weights[0].group_size"},
           {"/weights/0/bytes", -1, "weights[0].bytes"},
           {"/weights/0/bytes", huge, "weights[0].bytes"},
           {"/files/0/bytes", huge, "files[0].bytes"}}) {
    check_refused(wrong);
  }
}

TEST_CASE("a graph that its plan cannot run is refused") {
  for (const Wrong& wrong :
       std::initializer_list<Wrong>{{"/graphs/0/plan", "windows", "graphs[0].plan"},
                                    {"/graphs/0/width", 0, "graphs[0].width"},
                                    {"/graphs/0/open_width", true, "graphs[0].width"},
                                    {"/graphs/0/past", 1, "graphs[0].past"},
                                    {"/graphs/0/open_past", true, "graphs[0].past"},
                                    {"/graphs/0/logit_rows", 1, "graphs[0].logit_rows"},
                                    {"/graphs/1/width", 0, "graphs[1].width"},
                                    {"/graphs/1/width", limits::kContextMax + 1, "graphs[1].width"},
                                    {"/graphs/1/past", 0, "graphs[1].past"},
                                    {"/graphs/1/past", 65, "graphs[1].past"},
                                    {"/graphs/1/logit_rows", 9, "graphs[1].logit_rows"},
                                    {"/graphs/2/width", 1, "graphs[2].width"},
                                    {"/graphs/2/open_width", false, "graphs[2].width"},
                                    {"/graphs/2/past", 1, "graphs[2].past"},
                                    {"/graphs/2/open_past", false, "graphs[2].past"},
                                    {"/graphs/2/logit_rows", 1, "graphs[2].logit_rows"}}) {
    check_refused(wrong);
  }
}

TEST_CASE("a file name that leaves the bundle is refused") {
  for (const char* name : {"", "..", ".hidden", "/etc/passwd", "../a", "a/b", "a/"}) {
    check_refused({"/files/0/name", name, "files[0].name"});
    check_refused({"/graphs/0/file", name, "graphs[0].file"});
  }
  check_refused({"/files/0/name", std::string("a\0b", 3), "files[0].name"});
}

TEST_CASE("a hash that is none is refused") {
  for (const std::string& hash :
       {std::string(63, 'a'), std::string(65, 'a'), std::string(64, 'A'), std::string(64, 'g')}) {
    check_refused({"/files/0/sha256", hash, "files[0].sha256"});
  }
}

TEST_CASE("more entries than any bundle has are refused") {
  const auto many = [](const char* place, size_t count) {
    return Json(count, good_json().at(Json::json_pointer(place)));
  };
  check_refused({"/graphs", many("/graphs/0", limits::kGraphsMax + 1), "graphs"});
  check_refused({"/weights", many("/weights/0", limits::kWeightKindsMax + 1), "weights"});
  check_refused({"/files", many("/files/0", limits::kBundleFilesMax + 1), "files"});
  check_refused({"/graphs/1/inputs", many("/graphs/1/inputs/0", limits::kGraphPortsMax + 1),
                 "graphs[1].inputs"});
}

TEST_CASE("what is no object is refused") {
  CHECK(error_of("[]").code == Code::kCorrupt);
  CHECK(error_of("1").code == Code::kCorrupt);
  CHECK(error_of("").code == Code::kCorrupt);
  CHECK(error_of(std::string(limits::kManifestBytesMax + 1, ' ')).code == Code::kCorrupt);
}

TEST_CASE("a manifest cut off at any byte is refused") {
  const std::string text = to_json(with_files());
  for (size_t size = 0; size + 1 < text.size(); ++size) {  // the last byte is a line feed
    CHECK(error_of(text.substr(0, size)).code == Code::kCorrupt);
  }
}

TEST_CASE("a slot has the rows that any graph of its plan reads, within the model's context") {
  Manifest manifest = example_manifest();  // context 64, a cached graph of past 64
  CHECK(cache_rows(manifest, "window") == 0);
  CHECK(cache_rows(manifest, "cached") == 64);
  CHECK(cache_rows(manifest, "dynamic") == 64);
  CHECK(cache_rows(manifest, "none") == 0);
  manifest.graphs.push_back({.file = "step_w1_p32.xml", .plan = "cached", .width = 1, .past = 32});
  CHECK(cache_rows(manifest, "cached") == 64);
  manifest.graphs.push_back({.file = "step_open.xml",
                             .plan = "cached",
                             .width = 128,
                             .open_width = true,
                             .past = 100,
                             .open_past = true});
  CHECK(cache_rows(manifest, "cached") == 64);  // positions end there
  manifest.model.context = 48;
  CHECK(cache_rows(manifest, "cached") == 64);  // a fixed past is read as a whole
  CHECK(cache_rows(manifest, "dynamic") == 48);
}

TEST_CASE("logits have the rows that any graph of their plan gives") {
  Manifest manifest = example_manifest();
  CHECK(logit_rows_max(manifest, "window") == 32);
  CHECK(logit_rows_max(manifest, "cached") == 1);
  CHECK(logit_rows_max(manifest, "dynamic") == kOpenWidthMax);
  CHECK(logit_rows_max(manifest, "none") == 0);
  manifest.graphs.push_back({.file = "step_w8_p32.xml", .plan = "cached", .width = 8, .past = 32});
  CHECK(logit_rows_max(manifest, "cached") == 8);
}

TEST_CASE("a slot's bytes are those of all its heads") {
  const Manifest manifest = example_manifest();
  CHECK(manifest.head_bytes(64) == 64 * 4 * 4);
  CHECK(manifest.slot_bytes(64) == 4 * manifest.head_bytes(64));
}

}  // namespace
}  // namespace ovenbird
