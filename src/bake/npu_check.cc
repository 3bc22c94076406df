// The first refusal, in words for whoever typed the flags.
#include "bake/npu_check.h"

#include "base/message_text.h"
#include "npu/npu_rules.h"

namespace ovenbird {
namespace {

Status check(const std::string& file, const IrGraph& graph, NpuRules rules) {
  for (const NpuPlatform platform : kNpuPlatforms) {
    const std::vector<NpuRefusal> refusals = npu_refusals(graph, platform, rules);
    if (refusals.empty()) continue;
    return fail(Code::kInvalidArgument,
                "bake: " + file + ": an NPU " + name_of(platform) + " (" + processors_of(platform) +
                    ") would refuse it: " + printable(refusals[0].layer) + ": " + refusals[0].why +
                    "; nothing was written; add --for cpu");
  }
  return ok();
}

}  // namespace

Status check_for_npu(const std::string& file, std::string_view xml) {
  const Result<IrGraph> graph = read_ir_graph(xml);
  if (!graph) return fail(Code::kInternal, "bake: " + file + ": " + graph.error().message);
  return check(file, *graph, NpuRules::kAll);
}

Status check_weights_for_npu(const std::string& file, const IrGraph& graph) {
  return check(file, graph, NpuRules::kOnWeights);
}

}  // namespace ovenbird
