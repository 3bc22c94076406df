// Bundles baked from the golden checkpoints: what the manifest says is what lies in the files.
#include "bake/bake.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>

#include "bundle/bundle.h"
#include "checkpoint/tiny_hugging_face.h"
#include "checkpoint/weight_table.h"
#include "support/temporary_directory.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

std::unique_ptr<Checkpoint> open_source(const fs::path& path) {
  auto opened = open_checkpoint(path);
  if (!opened) FAIL(opened.error().message);
  return std::move(*opened);
}

std::unique_ptr<Checkpoint> golden(const std::string& name) {
  return open_source(OVENBIRD_TEST_DATA "/golden/" + name);
}

BakeOptions options_for(WeightChoice weights, Target target = Target::kCpu) {
  return {.target = target, .weights = weights, .cache = CacheType::kF32, .context = 600};
}

Bundle bake_or_fail(const BakeJob& job) {
  const Result<Manifest> made = bake(job);
  if (!made) FAIL(made.error().message);
  Result<Bundle> bundle = Bundle::open(job.target);
  if (!bundle) FAIL(bundle.error().message);
  CHECK(to_json(bundle->manifest()).size() > to_json(*made).size() / 2);
  return std::move(*bundle);
}

std::string content_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

uint64_t parameters_of(const Checkpoint& checkpoint) {
  uint64_t count = 0;
  for (size_t kind = 0; kind < kWeightKinds; ++kind) {
    const auto weight = static_cast<Weight>(kind);
    if (weight == Weight::kHead && checkpoint.config().tied_head) continue;
    const bool once =
        weight == Weight::kEmbedding || weight == Weight::kFinalNorm || weight == Weight::kHead;
    for (uint32_t layer = 0; layer < (once ? 1 : checkpoint.config().layers); ++layer) {
      if (const Tensor* tensor = checkpoint.find(weight, layer)) {
        count += tensor->rows * tensor->columns;
      }
    }
  }
  return count;
}

TEST_CASE("the manifest says what the model is and which graphs there are") {
  const TemporaryDirectory temp;
  const auto source = golden("llama3_rope_tied");
  const Bundle bundle = bake_or_fail({.checkpoint = *source,
                                      .options = options_for(WeightChoice::kF32),
                                      .target = temp.path() / "bundle",
                                      .extra_files = {{"tokenizer.ovenbird", "any bytes"}}});
  const Manifest& manifest = bundle.manifest();
  const ModelConfig& config = source->config();
  CHECK(manifest.version == kBundleVersion);
  CHECK(manifest.target == Target::kCpu);
  CHECK(manifest.cache_type == CacheType::kF32);
  CHECK(manifest.model.architecture == "llama");
  CHECK(manifest.model.description == source->description());
  CHECK(manifest.model.layers == config.layers);
  CHECK(manifest.model.kv_heads == config.kv_heads);
  CHECK(manifest.model.vocabulary == config.vocabulary);
  CHECK(manifest.model.context == 4096);
  CHECK(manifest.model.rope_frequencies == rope_frequencies(config.rope, config.rotary_dim));
  CHECK(manifest.model.eos_ids == config.eos_ids);
  CHECK(manifest.baked_by.starts_with("ovenbird "));

  const std::vector<GraphInfo> planned = planned_graphs(600);
  REQUIRE(manifest.graphs.size() == planned.size());
  for (size_t index = 0; index < planned.size(); ++index) {
    const GraphInfo& graph = manifest.graphs[index];
    CHECK(graph.file == planned[index].file);
    CHECK(graph.inputs.size() == 3 + (graph.past > 0 || graph.open_past ? 2 * config.layers : 0));
    CHECK(graph.outputs.size() == 1 + 2 * config.layers);
    CHECK(graph.inputs[0].name == "input_ids");
    CHECK(graph.outputs[0].name == "logits");
    CHECK(graph.outputs[0].type == "f32");
  }
  CHECK(bundle.verify());
  CHECK(content_of(bundle.file("tokenizer.ovenbird")) == "any bytes");
}

TEST_CASE("past rows are never more than the model was trained on") {
  const TemporaryDirectory temp;
  const auto source = golden("qwen3");
  BakeOptions options = options_for(WeightChoice::kF32);
  options.context = 100'000;
  const Bundle bundle =
      bake_or_fail({.checkpoint = *source, .options = options, .target = temp.path() / "bundle"});
  for (const GraphInfo& graph : bundle.manifest().graphs) CHECK(graph.past <= 4096);
}

TEST_CASE("the weights' summary counts every parameter once, and bytes that are there") {
  for (const std::string name :
       {"llama_gqa", "llama3_rope_tied", "llama_linear_bias", "qwen3", "gguf/llama_mixed.gguf"}) {
    for (const WeightChoice weights :
         {WeightChoice::kF32, WeightChoice::kF16, WeightChoice::kInt8, WeightChoice::kInt4,
          WeightChoice::kNf4, WeightChoice::kGguf}) {
      CAPTURE(name);
      const TemporaryDirectory temp;
      const auto source = golden(name);
      const Bundle bundle = bake_or_fail({.checkpoint = *source,
                                          .options = options_for(weights),
                                          .target = temp.path() / "bundle"});
      uint64_t parameters = 0;
      uint64_t bytes = 0;
      for (const WeightsInfo& info : bundle.manifest().weights) {
        parameters += info.parameters;
        bytes += info.bytes;
        if (info.type == "f32") CHECK(info.bytes == 4 * info.parameters);
        if (info.type == "f16") CHECK(info.bytes == 2 * info.parameters);
      }
      uint64_t repeated = 0;  // a query or key norm is stored for every head
      const ModelConfig& config = source->config();
      if (config.query_key_norm == QueryKeyNorm::kEachHead) {
        repeated = uint64_t{config.layers} * (config.heads + config.kv_heads - 2) * config.head_dim;
      }
      CHECK(parameters == parameters_of(*source) + repeated);
      CHECK(bytes <= fs::file_size(bundle.file(kWeightsName)));
    }
  }
}

std::map<std::string, WeightsInfo> by_role(const Manifest& manifest) {
  std::map<std::string, WeightsInfo> roles;
  for (const WeightsInfo& info : manifest.weights) roles[info.role] = info;
  return roles;
}

TEST_CASE("every choice of weights is stored as what it is called") {
  const auto source = golden("llama_gqa");
  const auto weights_with = [&](const BakeOptions& options) {
    const TemporaryDirectory temp;
    return by_role(
        bake_or_fail({.checkpoint = *source, .options = options, .target = temp.path() / "bundle"})
            .manifest());
  };
  auto roles = weights_with({});
  CHECK(roles["layers"].type == "i4");
  CHECK(roles["layers"].symmetric);
  CHECK(roles["embedding"].type == "i8");
  CHECK(roles["embedding"].group_size == -1);
  CHECK(roles["head"].type == "i8");
  CHECK(roles["norms"].type == "f32");
  CHECK(roles["norms"].group_size == 0);

  roles = weights_with({.target = Target::kCpu, .group_size = 32, .asymmetric = true});
  CHECK(roles["layers"].type == "u4");
  CHECK(roles["layers"].group_size == 32);
  CHECK(!roles["layers"].symmetric);

  roles = weights_with({.group_size = -1});
  CHECK(roles["layers"].group_size == -1);

  roles = weights_with({.weights = WeightChoice::kInt4, .embedding = WeightChoice::kF16});
  CHECK(roles["embedding"].type == "f16");
  CHECK(roles["head"].type == "f16");

  roles = weights_with({.target = Target::kCpu, .weights = WeightChoice::kInt8});
  CHECK(roles["layers"].type == "i8");
  CHECK(roles["layers"].group_size == -1);
}

TEST_CASE("every constant of every graph lies in the one weights file, where the others find it") {
  for (const std::string name : {"llama3_rope_tied", "qwen3", "gguf/llama_mixed.gguf"}) {
    const TemporaryDirectory temp;
    const auto source = golden(name);
    const Bundle bundle = bake_or_fail({.checkpoint = *source,
                                        .options = options_for(WeightChoice::kGguf),
                                        .target = temp.path() / "bundle"});
    const uint64_t file_bytes = fs::file_size(bundle.file(kWeightsName));
    std::map<std::string, std::pair<uint64_t, uint64_t>> places;
    for (const GraphInfo& graph : bundle.manifest().graphs) {
      pugi::xml_document document;
      REQUIRE(document.load_file(bundle.file(graph.file).c_str()));
      size_t constants = 0;
      for (const pugi::xml_node layer : document.child("net").child("layers").children("layer")) {
        if (std::string(layer.attribute("type").value()) != "Const") continue;
        ++constants;
        const std::string constant = layer.attribute("name").value();
        const uint64_t offset = layer.child("data").attribute("offset").as_ullong();
        const uint64_t size = layer.child("data").attribute("size").as_ullong();
        CHECK(size > 0);
        CHECK(offset <= file_bytes);
        CHECK(size <= file_bytes - offset);
        if (constant.starts_with("constant.")) continue;  // a number of its own in each graph
        CHECK(offset % 64 == 0);
        const auto [place, is_new] = places.try_emplace(constant, offset, size);
        CHECK(place->second == std::pair(offset, size));
      }
      CHECK(constants > 20);
    }
  }
}

TEST_CASE("the same bake gives the same bytes, whatever the process has made before") {
  const TemporaryDirectory temp;
  const auto source = golden("llama_gqa");
  const Bundle first = bake_or_fail({.checkpoint = *source,
                                     .options = options_for(WeightChoice::kInt4),
                                     .target = temp.path() / "first"});
  bake_or_fail({.checkpoint = *source,
                .options = options_for(WeightChoice::kInt4),
                .target = temp.path() / "second"});
  REQUIRE(first.manifest().files.size() > 10);
  for (const FileInfo& file : first.manifest().files) {
    CAPTURE(file.name);
    CHECK(content_of(temp.path() / "first" / file.name) ==
          content_of(temp.path() / "second" / file.name));
  }
}

TEST_CASE("config.json says that there is no cache") {
  const TemporaryDirectory temp;
  const auto source = golden("qwen2");
  const Bundle bundle = bake_or_fail({.checkpoint = *source,
                                      .options = options_for(WeightChoice::kInt8),
                                      .target = temp.path() / "bundle"});
  const auto config = nlohmann::json::parse(content_of(bundle.file("config.json")));
  CHECK(config["use_cache"] == false);
  CHECK(config["model_type"] == "qwen2");
  CHECK(fs::exists(bundle.file("generation_config.json")));
}

TEST_CASE("progress only grows, and ends at the source's size") {
  const TemporaryDirectory temp;
  const auto source = golden("llama_gqa");
  uint64_t last = 0;
  bake_or_fail({.checkpoint = *source,
                .options = options_for(WeightChoice::kF16),
                .target = temp.path() / "bundle",
                .progress = [&](uint64_t done) {
                  CHECK(done >= last);
                  last = done;
                  return true;
                }});
  CHECK(last == source_bytes(*source));
}

TEST_CASE("interrupted anywhere, a bake leaves nothing, and an old bundle as it was") {
  const auto source = golden("llama_gqa");
  const TemporaryDirectory temp;
  const fs::path target = temp.path() / "bundle";
  int calls = 0;
  BakeJob job{.checkpoint = *source,
              .options = options_for(WeightChoice::kInt8),
              .target = target,
              .progress = [&](uint64_t) { return ++calls > 0; }};
  bake_or_fail(job);
  const std::string before = content_of(target / kManifestName);
  const int all_calls = calls;
  CHECK(all_calls > 10);
  job.replace = true;
  for (int stop_at = 0; stop_at < all_calls; stop_at += 5) {
    int left = stop_at;
    job.progress = [&](uint64_t) { return left-- > 0; };
    const Result<Manifest> made = bake(job);
    REQUIRE(!made);
    CHECK(made.error().code == Code::kInterrupted);
    CHECK(content_of(target / kManifestName) == before);
    CHECK(std::distance(fs::directory_iterator(temp.path()), {}) == 1);
  }
}

TEST_CASE("refused options touch nothing") {
  const TemporaryDirectory temp;
  const auto source = golden("llama_gqa");
  const Result<Manifest> made = bake(
      {.checkpoint = *source, .options = {.context = 0}, .target = temp.path() / "a" / "bundle"});
  REQUIRE(!made);
  CHECK(made.error().code == Code::kInvalidArgument);
  CHECK(fs::is_empty(temp.path()));
}

/// The tiny model with one number of a tensor changed.
TinyHuggingFace with_number(const std::string& tensor, float number) {
  TinyHuggingFace model = good_hugging_face();
  const size_t at = model.weights.header[tensor]["data_offsets"][0];
  std::memcpy(&model.weights.data[at + 4], &number, sizeof number);
  return model;
}

TEST_CASE("a tensor with NaN, infinity or too large a number is called by its name") {
  const auto error_for = [](const std::string& tensor, float number, WeightChoice weights) {
    const TemporaryDirectory temp;
    with_number(tensor, number).write(temp);
    const auto source = open_source(temp.path());
    const Result<Manifest> made = bake(
        {.checkpoint = *source, .options = {.weights = weights}, .target = temp.path() / "bundle"});
    if (made) return std::string("no error");
    CHECK(made.error().code == Code::kCorrupt);
    CHECK(!fs::exists(temp.path() / "bundle"));
    return made.error().message;
  };
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::string up = "model.layers.0.mlp.up_proj.weight";
  for (const WeightChoice weights : {WeightChoice::kInt4, WeightChoice::kF32}) {
    CHECK(error_for(up, kInfinity, weights).find(up + ": row 0") != std::string::npos);
    CHECK(error_for("model.embed_tokens.weight", NAN, weights).find("model.embed_tokens.weight") !=
          std::string::npos);
  }
  CHECK(error_for("model.norm.weight", NAN, WeightChoice::kInt4).find("final_norm") !=
        std::string::npos);
  CHECK(error_for(up, 1e6f, WeightChoice::kF16).find(up) != std::string::npos);
  CHECK(error_for(up, 1e6f, WeightChoice::kF32) == "no error");
}

}  // namespace
}  // namespace ovenbird
