// Verdicts graph by graph, then the risks that a manifest tells.
#include "npu/npu_lint.h"

#include <algorithm>
#include <set>

#include "base/mapped_file.h"

namespace ovenbird {
namespace {

using Kind = NpuFinding::Kind;

GraphVerdict verdict_where_all_refuse(const GraphInfo& graph, const std::string& why) {
  GraphVerdict verdict{.file = graph.file, .is_for_npu = graph.is_static()};
  verdict.refusals.fill({NpuRefusal{.layer = "", .why = why}});
  return verdict;
}

GraphVerdict judge_file(const Bundle& bundle, const GraphInfo& graph) {
  const Result<MappedFile> file = MappedFile::open(bundle.file(graph.file));
  if (!file) return verdict_where_all_refuse(graph, "cannot be read: " + file.error().message);
  const std::span<const std::byte> bytes = file->bytes();
  return judge_graph(graph, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

/// Each reason once, with the platforms that have it.
void add_refusals(const GraphVerdict& verdict, std::vector<NpuFinding>& findings) {
  std::vector<std::string> said;
  for (const std::vector<NpuRefusal>& refusals : verdict.refusals) {
    for (const NpuRefusal& refusal : refusals) {
      if (std::find(said.begin(), said.end(), refusal.why) != said.end()) continue;
      said.push_back(refusal.why);
      const auto has_it = [&](size_t platform) {
        const std::vector<NpuRefusal>& all = verdict.refusals[platform];
        return std::any_of(all.begin(), all.end(),
                           [&](const NpuRefusal& other) { return other.why == refusal.why; });
      };
      findings.push_back({.kind = Kind::kRefused,
                          .subject = verdict.file,
                          .message = "on " + platforms_where(has_it) + ": " + refusal.why});
    }
  }
}

void add_graphs(const std::vector<GraphVerdict>& verdicts, std::vector<NpuFinding>& findings) {
  for (const GraphVerdict& verdict : verdicts) {
    if (verdict.is_for_npu) {
      add_refusals(verdict, findings);
    } else {
      findings.push_back({Kind::kNotUsed, verdict.file,
                          "has an open dimension, and an NPU takes static shapes only: "
                          "for CPU and GPU"});
    }
  }
  const auto is_for_npu = [](const GraphVerdict& verdict) { return verdict.is_for_npu; };
  if (std::none_of(verdicts.begin(), verdicts.end(), is_for_npu)) {
    findings.push_back({Kind::kRefused, "graphs", "no graph is static: bake again"});
  }
}

bool has_four_bit_layers(const Manifest& manifest) {
  return std::any_of(manifest.weights.begin(), manifest.weights.end(), [](const WeightsInfo& info) {
    return info.role == "layers" && info.type.ends_with("4");
  });
}

void add_layers(const std::string& type, bool is_mixed, std::vector<NpuFinding>& findings) {
  const std::string subject = "layers " + type;
  if (type == "i8" || type == "u8") {
    findings.push_back(
        {Kind::kRisk, subject,
         "how NPUs other than Lunar Lake's take 8-bit layers is not known: bake with "
         "--weights int4"});
  } else if (type.starts_with("f")) {
    findings.push_back({Kind::kRisk, subject,
                        "is not quantized: every token reads four to eight times the bytes that "
                        "int4 has; " +
                            std::string(is_mixed ? "bake with fewer --f16-layers if it is slow"
                                                 : "bake with --weights int4")});
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

bool NpuLint::is_taken_on(size_t platform) const {
  const auto is_for_npu = [](const GraphVerdict& graph) { return graph.is_for_npu; };
  const auto is_refused = [&](const GraphVerdict& graph) {
    return graph.is_for_npu && !graph.is_taken_on(platform);
  };
  return std::any_of(graphs.begin(), graphs.end(), is_for_npu) &&
         std::none_of(graphs.begin(), graphs.end(), is_refused);
}

GraphVerdict judge_graph(const GraphInfo& graph, std::string_view xml) {
  const Result<IrGraph> ir = read_ir_graph(xml);
  if (!ir) return verdict_where_all_refuse(graph, "cannot be read: " + ir.error().message);
  GraphVerdict verdict{.file = graph.file, .is_for_npu = graph.is_static()};
  for (size_t index = 0; index < kNpuPlatforms.size(); ++index) {
    verdict.refusals[index] = npu_refusals(*ir, kNpuPlatforms[index]);
  }
  return verdict;
}

NpuLint npu_lint(const Bundle& bundle) {
  const Manifest& manifest = bundle.manifest();
  NpuLint lint;
  for (const GraphInfo& graph : manifest.graphs) lint.graphs.push_back(judge_file(bundle, graph));
  add_graphs(lint.graphs, lint.findings);
  const bool is_mixed = has_four_bit_layers(manifest);
  std::set<std::string> types;  // a type may stand there twice, with groups of two sizes
  for (const WeightsInfo& weights : manifest.weights) {
    const bool is_of_layers = weights.role == "layers";  // tables may have 8 bit; norms are small
    if (is_of_layers && types.insert(weights.type).second) {
      add_layers(weights.type, is_mixed, lint.findings);
    }
  }
  if (manifest.cache_type == CacheType::kF32) {
    lint.findings.push_back({Kind::kRisk, "cache f32",
                             "an NPU computes in f16: the slot is twice as large and no more "
                             "exact; bake with --cache f16"});
  }
  return lint;
}

}  // namespace ovenbird
