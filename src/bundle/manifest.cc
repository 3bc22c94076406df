// The manifest as JSON, both ways. Reading trusts nothing: a bundle may come from anywhere.
#include "bundle/manifest.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json.h"
#include "base/limits.h"
#include "bundle/field_reader.h"

namespace ovenbird {
namespace {

using Json = nlohmann::ordered_json;

Json write(const Port& port) {
  return {{"name", port.name}, {"type", port.type}, {"shape", port.shape}};
}

Json write(const GraphInfo& graph) {
  Json json{{"file", graph.file},
            {"plan", graph.plan},
            {"width", graph.width},
            {"open_width", graph.open_width},
            {"past", graph.past},
            {"open_past", graph.open_past},
            {"logit_rows", graph.logit_rows},
            {"inputs", Json::array()},
            {"outputs", Json::array()}};
  for (const Port& port : graph.inputs) json["inputs"].push_back(write(port));
  for (const Port& port : graph.outputs) json["outputs"].push_back(write(port));
  return json;
}

Json write(const WeightsInfo& weights) {
  return {{"role", weights.role},
          {"type", weights.type},
          {"group_size", weights.group_size},
          {"symmetric", weights.symmetric},
          {"tensors", weights.tensors},
          {"parameters", weights.parameters},
          {"bytes", weights.bytes}};
}

constexpr std::pair<LayerRope, const char*> kLayerRopes[] = {
    {LayerRope::kGlobal, "global"}, {LayerRope::kLocal, "local"}, {LayerRope::kNone, "none"}};

const char* name_of(LayerRope rope) {
  for (const auto& [known, name] : kLayerRopes) {
    if (known == rope) return name;
  }
  return "";
}

Json write(const ModelFacts& model) {
  Json json{{"architecture", model.architecture},
            {"description", model.description},
            {"layers", model.layers},
            {"hidden", model.hidden},
            {"heads", model.heads},
            {"kv_heads", model.kv_heads},
            {"head_dim", model.head_dim},
            {"vocabulary", model.vocabulary},
            {"context", model.context},
            {"rope_frequencies", model.rope_frequencies}};
  if (!model.layer_ropes.empty()) {
    json["local_rope_frequencies"] = model.local_rope_frequencies;
    json["layer_ropes"] = Json::array();
    for (const LayerRope rope : model.layer_ropes) json["layer_ropes"].push_back(name_of(rope));
  }
  json["bos_ids"] = model.bos_ids;
  json["eos_ids"] = model.eos_ids;
  return json;
}

constexpr uint64_t kBytesMax = std::numeric_limits<int64_t>::max();

/// A name that stays inside the bundle's directory.
void file_name(FieldReader& in, const char* key, std::string& out) {
  in.text(key, out);
  const bool plain = !out.empty() && out.find('/') == std::string::npos && out[0] != '.' &&
                     out.find('\0') == std::string::npos;
  if (!plain) in.wrong(key, "a plain file name");
}

Port read_port(FieldReader& in) {
  Port port;
  in.text("name", port.name);
  in.text("type", port.type);
  in.whole_numbers("shape", port.shape);
  return port;
}

/// Plans index memory by these numbers, so a graph must be one that its plan can run.
void check_graph(FieldReader& in, const GraphInfo& graph, const ModelFacts& model) {
  if (graph.plan == "window") {
    if (graph.width == 0 || graph.open_width) in.wrong("width", "closed and 1 or more: a window");
    if (graph.past != 0 || graph.open_past) in.wrong("past", "0 and closed: a window");
    if (graph.logit_rows != 0) in.wrong("logit_rows", "0: a window gives all rows");
  } else if (graph.plan == "cached") {
    if (graph.width == 0) in.wrong("width", "1 or more");
    if (graph.past == 0 || graph.past > model.context) {
      in.wrong("past", "in [1, " + std::to_string(model.context) + "], the model's context");
    }
    if (graph.logit_rows > graph.width) in.wrong("logit_rows", "at most the width");
  } else if (graph.plan == "dynamic") {
    if (graph.width != 0 || !graph.open_width) in.wrong("width", "0 and open");
    if (graph.past != 0 || !graph.open_past) in.wrong("past", "0 and open");
    if (graph.logit_rows != 0) in.wrong("logit_rows", "0");
  } else {
    in.wrong("plan", "window, cached or dynamic");
  }
}

GraphInfo read_graph(FieldReader& in, const ModelFacts& model) {
  GraphInfo graph;
  file_name(in, "file", graph.file);
  in.text("plan", graph.plan);
  in.number("width", graph.width, 0, limits::kContextMax);
  in.flag("open_width", graph.open_width);
  in.number("past", graph.past, 0, limits::kContextMax);
  in.flag("open_past", graph.open_past);
  in.number("logit_rows", graph.logit_rows, 0, limits::kContextMax);
  in.objects("inputs", limits::kGraphPortsMax,
             [&](FieldReader& port) { graph.inputs.push_back(read_port(port)); });
  in.objects("outputs", limits::kGraphPortsMax,
             [&](FieldReader& port) { graph.outputs.push_back(read_port(port)); });
  check_graph(in, graph, model);
  return graph;
}

WeightsInfo read_weights(FieldReader& in) {
  WeightsInfo weights;
  in.text("role", weights.role);
  in.text("type", weights.type);
  in.number("group_size", weights.group_size, -1, limits::kHiddenMax);
  in.flag("symmetric", weights.symmetric);
  in.number("tensors", weights.tensors, 0, limits::kTensorsMax);
  in.number("parameters", weights.parameters, 0, kBytesMax);
  in.number("bytes", weights.bytes, 0, kBytesMax);
  return weights;
}

/// Bundles of models whose layers are alike do not have these.
void read_layer_ropes(FieldReader& in, ModelFacts& model) {
  if (!in.has("layer_ropes")) return;
  in.numbers("local_rope_frequencies", model.local_rope_frequencies);
  std::vector<std::string> names;
  in.texts("layer_ropes", names);
  for (const std::string& name : names) {
    const auto known = std::find_if(std::begin(kLayerRopes), std::end(kLayerRopes),
                                    [&](const auto& entry) { return name == entry.second; });
    if (known == std::end(kLayerRopes)) return in.wrong("layer_ropes", "global, local or none");
    model.layer_ropes.push_back(known->first);
  }
  if (in.error()) return;
  if (model.layer_ropes.size() != model.layers) in.wrong("layer_ropes", "one a layer");
  const bool has_local = std::find(model.layer_ropes.begin(), model.layer_ropes.end(),
                                   LayerRope::kLocal) != model.layer_ropes.end();
  if (has_local && model.local_rope_frequencies.size() != model.rope_frequencies.size()) {
    in.wrong("local_rope_frequencies", "as many as rope_frequencies");
  }
}

void read_model(FieldReader& in, ModelFacts& model) {
  in.text("architecture", model.architecture);
  in.text("description", model.description);
  in.number("layers", model.layers, 1, limits::kLayersMax);
  in.number("hidden", model.hidden, 1, limits::kHiddenMax);
  in.number("heads", model.heads, 1, limits::kHiddenMax);
  in.number("kv_heads", model.kv_heads, 1, limits::kHiddenMax);
  in.number("head_dim", model.head_dim, 2, limits::kHiddenMax);
  in.number("vocabulary", model.vocabulary, 1, limits::kVocabularyMax);
  in.number("context", model.context, 1, limits::kContextMax);
  in.numbers("rope_frequencies", model.rope_frequencies);
  in.whole_numbers("bos_ids", model.bos_ids);
  in.whole_numbers("eos_ids", model.eos_ids);
  if (in.error()) return;
  if (model.heads % model.kv_heads != 0) in.wrong("kv_heads", "a divisor of heads");
  if (uint64_t{model.heads} * model.head_dim > limits::kHiddenMax) {
    in.wrong("head_dim", "at most " + std::to_string(limits::kHiddenMax) + " over all heads");
  }
  if (model.rope_frequencies.empty() || model.rope_frequencies.size() * 2 > model.head_dim) {
    in.wrong("rope_frequencies", "one to half as many as head_dim");
  }
  read_layer_ropes(in, model);
}

FileInfo read_file(FieldReader& in) {
  FileInfo file;
  file_name(in, "name", file.name);
  in.number("bytes", file.bytes, 0, kBytesMax);
  in.text("sha256", file.sha256);
  const bool is_hash = file.sha256.size() == 64 &&
                       file.sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!is_hash) in.wrong("sha256", "64 lower-case hexadecimal digits");
  return file;
}

template <typename Enum>
void choice(FieldReader& in, const char* key, Enum& out, const char* first, const char* second) {
  std::string name;
  in.text(key, name);
  if (name == first) {
    out = Enum{0};
  } else if (name == second) {
    out = Enum{1};
  } else {
    in.wrong(key, std::string(first) + " or " + second);
  }
}

}  // namespace

uint64_t Manifest::slot_bytes(uint32_t past) const {
  return uint64_t{2} * model.layers * model.kv_heads * past * model.head_dim * bytes_of(cache_type);
}

uint64_t Manifest::head_bytes(uint32_t past) const {
  return uint64_t{past} * model.head_dim * bytes_of(cache_type);
}

const GraphInfo* Manifest::find_graph(std::string_view file) const {
  for (const GraphInfo& graph : graphs) {
    if (graph.file == file) return &graph;
  }
  return nullptr;
}

std::string best_plan(const Manifest& manifest) {
  for (const GraphInfo& graph : manifest.graphs) {
    if (graph.plan == "cached") return graph.plan;
  }
  return manifest.graphs.empty() ? "cached" : manifest.graphs.front().plan;
}

uint32_t cache_rows(const Manifest& manifest, std::string_view plan) {
  uint32_t reached = 0;
  uint32_t fixed_past_max = 0;
  for (const GraphInfo& graph : manifest.graphs) {
    if (graph.plan != plan) continue;
    const bool is_unbounded = graph.open_past && graph.past == 0;
    reached = std::max(reached, is_unbounded ? manifest.model.context : graph.past);
    if (!graph.open_past) fixed_past_max = std::max(fixed_past_max, graph.past);
  }
  // Beyond what the model was trained on, positions mean nothing to it. Graphs of a longer fixed
  // past read that past all the same.
  return std::max(std::min(reached, manifest.model.context), fixed_past_max);
}

uint32_t logit_rows_max(const Manifest& manifest, std::string_view plan) {
  uint32_t rows_max = 0;
  for (const GraphInfo& graph : manifest.graphs) {
    if (graph.plan != plan) continue;
    const uint32_t width = graph.width ? graph.width : kOpenWidthMax;
    const uint32_t rows = graph.logit_rows ? std::min(graph.logit_rows, width) : width;
    rows_max = std::max(rows_max, rows);
  }
  return rows_max;
}

std::string to_json(const Manifest& manifest) {
  Json json{{"format", "ovenbird bundle"},
            {"version", manifest.version},
            {"baked_by", manifest.baked_by},
            {"target", manifest.target == Target::kNpu ? "npu" : "cpu"},
            {"cache_type", manifest.cache_type == CacheType::kF16 ? "f16" : "f32"},
            {"model", write(manifest.model)},
            {"graphs", Json::array()},
            {"weights", Json::array()},
            {"files", Json::array()}};
  for (const GraphInfo& graph : manifest.graphs) json["graphs"].push_back(write(graph));
  for (const WeightsInfo& weights : manifest.weights) json["weights"].push_back(write(weights));
  for (const FileInfo& file : manifest.files) {
    json["files"].push_back({{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  }
  return json.dump(1) + "\n";
}

Result<Manifest> parse_manifest(std::string_view text) {
  const Result<nlohmann::json> json = parse_json(text, {.bytes_max = limits::kManifestBytesMax});
  if (!json) return fail_in(kManifestName, json.error());
  Manifest manifest;
  FieldReader in(*json, "");
  in.number("version", manifest.version, 1, std::numeric_limits<uint32_t>::max());
  if (!in.error() && manifest.version > kBundleVersion) {
    return fail(Code::kUnsupported, std::string(kManifestName) + ": bundle version " +
                                        std::to_string(manifest.version) + "; this program reads " +
                                        std::to_string(kBundleVersion) +
                                        ": use a newer ovenbird, or bake again");
  }
  in.text("baked_by", manifest.baked_by);
  choice(in, "target", manifest.target, "npu", "cpu");
  choice(in, "cache_type", manifest.cache_type, "f16", "f32");
  in.object("model", [&](FieldReader& model) { read_model(model, manifest.model); });
  in.objects("graphs", limits::kGraphsMax, [&](FieldReader& graph) {
    manifest.graphs.push_back(read_graph(graph, manifest.model));
  });
  in.objects("weights", limits::kWeightKindsMax,
             [&](FieldReader& weights) { manifest.weights.push_back(read_weights(weights)); });
  in.objects("files", limits::kBundleFilesMax,
             [&](FieldReader& file) { manifest.files.push_back(read_file(file)); });
  if (in.error()) return fail(Code::kCorrupt, std::string(kManifestName) + ": " + *in.error());
  return manifest;
}

}  // namespace ovenbird
