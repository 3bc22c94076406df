// A bundle as one JSON object.
#include <map>
#include <nlohmann/json.hpp>

#include "inspect.h"
#include "memory_needs.h"
#include "npu/npu_lint.h"

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

/// By platform, whether it takes the graph, and why not.
Json verdict_json(const GraphVerdict& verdict) {
  Json json = Json::object();
  for (size_t index = 0; index < kNpuPlatforms.size(); ++index) {
    Json why = Json::array();
    if (!verdict.is_for_npu) why.push_back("not used on an NPU: open, for CPU and GPU");
    for (const NpuRefusal& refusal : verdict.refusals[index]) {
      why.push_back(refusal.layer.empty() ? refusal.why : refusal.layer + ": " + refusal.why);
    }
    json[name_of(kNpuPlatforms[index])] = {{"taken", verdict.is_taken_on(index)}, {"why", why}};
  }
  return json;
}

void add_findings(const NpuLint& lint, Json& json) {
  json["npu_refuses"] = Json::array();
  json["npu_findings"] = Json::array();
  for (const NpuFinding& finding : lint.findings) {
    if (finding.kind == NpuFinding::Kind::kRefused) {
      json["npu_refuses"].push_back(finding.subject + ": " + finding.message);
    }
    json["npu_findings"].push_back({{"kind", name_of(finding.kind)},
                                    {"subject", finding.subject},
                                    {"message", finding.message}});
  }
}

}  // namespace

std::string inspect_json(const Bundle& bundle) {
  const Manifest& manifest = bundle.manifest();
  const MemoryNeeds needs = memory_needs(manifest);
  const NpuLint lint = npu_lint(bundle);
  Json written = Json::parse(to_json(manifest));  // in the manifest's own words
  written["model"].erase("rope_frequencies");
  for (size_t index = 0; index < manifest.graphs.size(); ++index) {
    const GraphInfo& graph = manifest.graphs[index];
    written["graphs"][index]["static"] = graph.is_static();
    written["graphs"][index]["slot_bytes"] = manifest.slot_bytes(graph.past);
    written["graphs"][index]["npu"] = verdict_json(lint.graphs[index]);
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
            {"npu_refuses", {}},
            {"npu_findings", {}},
            {"files", written["files"]}};
  add_findings(lint, json);
  // A path may hold bytes that are no UTF-8; they must not end the program.
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace ovenbird
