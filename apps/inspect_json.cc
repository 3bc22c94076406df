// A bundle as one JSON object.
#include <map>
#include <nlohmann/json.hpp>

#include "bundle/npu_lint.h"
#include "inspect.h"
#include "memory_needs.h"

namespace ovenbird {
namespace {

using Json = nlohmann::ordered_json;

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
  Json written = Json::parse(to_json(manifest));  // in the manifest's own words
  written["model"].erase("rope_frequencies");
  for (size_t index = 0; index < manifest.graphs.size(); ++index) {
    const GraphInfo& graph = manifest.graphs[index];
    written["graphs"][index]["static"] = graph.is_static();
    written["graphs"][index]["slot_bytes"] = manifest.slot_bytes(graph.past);
  }
  Json json{{"bundle", bundle.directory().string()},
            {"version", manifest.version},
            {"baked_by", manifest.baked_by},
            {"baked_for", written["target"]},
            {"cache_type", written["cache_type"]},
            {"model", written["model"]},
            {"graphs", written["graphs"]},
            {"weights", written["weights"]},
            {"weights_by_type", weights_by_type(manifest.weights)},
            {"bytes_per_slot", needs.slot},
            {"memory", memory_json(needs)},
            {"npu_refuses", Json::array()},
            {"npu_findings", Json::array()},
            {"files", written["files"]}};
  for (const NpuFinding& finding : npu_lint(manifest)) {
    if (finding.kind == NpuFinding::Kind::kRefused) {
      json["npu_refuses"].push_back(finding.subject + ": " + finding.message);
    }
    json["npu_findings"].push_back({{"kind", name_of(finding.kind)},
                                    {"subject", finding.subject},
                                    {"message", finding.message}});
  }
  // A path may hold bytes that are no UTF-8; they must not end the program.
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace ovenbird
