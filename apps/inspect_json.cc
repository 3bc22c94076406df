// A bundle as one JSON object.
#include <map>
#include <nlohmann/json.hpp>

#include "bundle/npu_lint.h"
#include "inspect.h"
#include "memory_needs.h"

namespace ovenbird {
namespace {

using Json = nlohmann::ordered_json;

Json ports_json(const std::vector<Port>& ports) {
  Json json = Json::array();
  for (const Port& port : ports) {
    json.push_back({{"name", port.name}, {"type", port.type}, {"shape", port.shape}});
  }
  return json;
}

Json graph_json(const Manifest& manifest, const GraphInfo& graph) {
  return {{"file", graph.file},
          {"plan", graph.plan},
          {"width", graph.width},
          {"open_width", graph.open_width},
          {"past", graph.past},
          {"open_past", graph.open_past},
          {"static", graph.is_static()},
          {"logit_rows", graph.logit_rows},
          {"slot_bytes", manifest.slot_bytes(graph.past)},
          {"inputs", ports_json(graph.inputs)},
          {"outputs", ports_json(graph.outputs)}};
}

Json weights_json(const WeightsInfo& weights) {
  return {{"role", weights.role},
          {"type", weights.type},
          {"group_size", weights.group_size},
          {"symmetric", weights.symmetric},
          {"tensors", weights.tensors},
          {"parameters", weights.parameters},
          {"bytes", weights.bytes}};
}

Json weights_by_type(const std::vector<WeightsInfo>& all) {
  std::map<std::string, WeightsInfo> sums;
  for (const WeightsInfo& weights : all) {
    WeightsInfo& sum = sums[weights.type];
    sum.tensors += weights.tensors;
    sum.parameters += weights.parameters;
    sum.bytes += weights.bytes;
  }
  Json json = Json::object();
  for (const auto& [type, sum] : sums) {
    json[type] = {{"tensors", sum.tensors}, {"parameters", sum.parameters}, {"bytes", sum.bytes}};
  }
  return json;
}

Json model_json(const ModelFacts& model) {
  return {{"architecture", model.architecture},
          {"description", model.description},
          {"layers", model.layers},
          {"hidden", model.hidden},
          {"heads", model.heads},
          {"kv_heads", model.kv_heads},
          {"head_dim", model.head_dim},
          {"vocabulary", model.vocabulary},
          {"context", model.context},
          {"bos_ids", model.bos_ids},
          {"eos_ids", model.eos_ids}};
}

Json memory_json(const MemoryNeeds& needs) {
  return {{"weights_bytes", needs.weights},
          {"slot_bytes", needs.slot},
          {"lean_bytes_min", needs.lean},
          {"balanced_bytes_min", needs.balanced},
          {"fast_bytes_min", needs.fast}};
}

}  // namespace

std::string inspect_json(const Bundle& bundle) {
  const Manifest& manifest = bundle.manifest();
  const MemoryNeeds needs = memory_needs(manifest);
  Json json{{"bundle", bundle.directory().string()},
            {"version", manifest.version},
            {"baked_by", manifest.baked_by},
            {"baked_for", manifest.target == Target::kNpu ? "npu" : "cpu"},
            {"cache_type", manifest.cache_type == CacheType::kF16 ? "f16" : "f32"},
            {"model", model_json(manifest.model)},
            {"graphs", Json::array()},
            {"weights", Json::array()},
            {"weights_by_type", weights_by_type(manifest.weights)},
            {"bytes_per_slot", needs.slot},
            {"memory", memory_json(needs)},
            {"npu_refuses", Json::array()},
            {"npu_findings", Json::array()},
            {"files", Json::array()}};
  for (const GraphInfo& graph : manifest.graphs) {
    json["graphs"].push_back(graph_json(manifest, graph));
  }
  for (const WeightsInfo& weights : manifest.weights) {
    json["weights"].push_back(weights_json(weights));
  }
  for (const NpuFinding& finding : npu_lint(manifest)) {
    if (finding.kind == NpuFinding::Kind::kRefused) {
      json["npu_refuses"].push_back(finding.subject + ": " + finding.message);
    }
    json["npu_findings"].push_back({{"kind", name_of(finding.kind)},
                                    {"subject", finding.subject},
                                    {"message", finding.message}});
  }
  for (const FileInfo& file : manifest.files) {
    json["files"].push_back({{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  }
  // A path may hold bytes that are no UTF-8; they must not end the program.
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace ovenbird
