// The rules, one function for each part of a manifest.
#include "bundle/npu_lint.h"

#include <algorithm>

namespace ovenbird {
namespace {

using Kind = NpuFinding::Kind;

/// The only group besides a whole row that the compiler's quantized matmul knows.
constexpr int32_t kNpuGroup = 128;

bool has_open_dimension(const Port& port) {
  return std::any_of(port.shape.begin(), port.shape.end(), [](int64_t size) { return size < 0; });
}

/// By what the graph says and by its ports: a manifest may contradict itself.
bool is_static(const GraphInfo& graph) {
  return graph.is_static() &&
         std::none_of(graph.inputs.begin(), graph.inputs.end(), has_open_dimension) &&
         std::none_of(graph.outputs.begin(), graph.outputs.end(), has_open_dimension);
}

void lint_graphs(const std::vector<GraphInfo>& graphs, std::vector<NpuFinding>& findings) {
  for (const GraphInfo& graph : graphs) {
    if (is_static(graph)) continue;
    findings.push_back({Kind::kNotUsed, graph.file,
                        "has an open dimension, and an NPU takes static shapes only: "
                        "for CPU and GPU"});
  }
  if (std::none_of(graphs.begin(), graphs.end(), is_static)) {
    findings.push_back({Kind::kRefused, "graphs", "no graph is static: bake again"});
  }
}

std::string group_text(int32_t group_size) {
  return group_size == -1 ? "a whole row" : "groups of " + std::to_string(group_size);
}

void lint_quantized(const WeightsInfo& weights, std::vector<NpuFinding>& findings) {
  const std::string subject = weights.role + " " + weights.type;
  if (!weights.symmetric || weights.type.starts_with("u")) {
    findings.push_back({Kind::kRefused, subject,
                        "has zero points, and an NPU takes symmetric weights only: "
                        "bake with --for npu"});
  }
  if (weights.group_size != kNpuGroup && weights.group_size != -1) {
    findings.push_back({Kind::kRefused, subject,
                        "shares scales in " + group_text(weights.group_size) +
                            ", and an NPU takes 128 or a whole row: bake with --for npu"});
  }
}

void lint_weights(const WeightsInfo& weights, std::vector<NpuFinding>& findings) {
  if (weights.role == "norms") return;  // a few vectors; the compiler turns them into f16
  const std::string subject = weights.role + " " + weights.type;
  if (weights.type.starts_with("i") || weights.type.starts_with("u")) {
    lint_quantized(weights, findings);
    if (weights.type == "i8" && weights.role == "layers") {
      findings.push_back({Kind::kRisk, subject,
                          "8-bit layers compile and then crash on Lunar Lake (OpenVINO issue "
                          "35641): int4 is what is known to run"});
    }
    return;
  }
  if (weights.role == "layers") {
    findings.push_back({Kind::kRisk, subject,
                        "is not quantized: every token reads four to eight times the bytes that "
                        "int4 has"});
  }
}

}  // namespace

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::kRefused:
      return "refused";
    case Kind::kRisk:
      return "risk";
    case Kind::kNotUsed:
      break;
  }
  return "not used";
}

std::vector<NpuFinding> npu_lint(const Manifest& manifest) {
  std::vector<NpuFinding> findings;
  lint_graphs(manifest.graphs, findings);
  for (const WeightsInfo& weights : manifest.weights) lint_weights(weights, findings);
  if (manifest.cache_type == CacheType::kF32) {
    findings.push_back({Kind::kRisk, "cache f32",
                        "an NPU computes in f16: the slot is twice as large and no more exact; "
                        "bake with --cache f16"});
  }
  return findings;
}

}  // namespace ovenbird
