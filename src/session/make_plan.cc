// From a plan's name to the plan.
#include <utility>

#include "base/page_memory.h"
#include "session/cache_plan.h"
#include "session/plan.h"
#include "session/window_plan.h"

namespace ovenbird {
namespace {

/// Whether every graph of the plan finds room for its logits there.
Status check_logits_memory(std::span<float> logits, const Manifest& manifest,
                           const std::string& plan) {
  const size_t rows = logit_rows_max(manifest, plan);
  const size_t page = round_up_to_page(1);
  const bool is_pages =
      reinterpret_cast<uintptr_t>(logits.data()) % page == 0 && logits.size_bytes() % page == 0;
  if (is_pages && logits.size() >= rows * manifest.model.vocabulary) return ok();
  return fail(Code::kInvalidArgument, "plan " + plan + ": logits need " + std::to_string(rows) +
                                          " rows of " + std::to_string(manifest.model.vocabulary) +
                                          " numbers in whole pages; " +
                                          std::to_string(logits.size()) + " numbers were given");
}

}  // namespace

Result<std::unique_ptr<Plan>> make_plan(const std::string& name, Engine& engine,
                                        const Manifest& manifest) {
  return make_plan(name, std::make_shared<SharedGraphs>(engine), manifest, {});
}

Result<std::unique_ptr<Plan>> make_plan(const std::string& name,
                                        std::shared_ptr<SharedGraphs> graphs,
                                        const Manifest& manifest, const PlanMemory& memory) {
  const std::vector<GraphInfo>& offered = graphs->engine().graphs();
  std::vector<size_t> chosen;
  for (size_t graph = 0; graph < offered.size(); ++graph) {
    if (offered[graph].plan == name) chosen.push_back(graph);
  }
  if (chosen.empty()) {
    return fail(Code::kInvalidArgument, "plan " + name + ": the engine has no graph for it");
  }
  if (!memory.logits.empty()) {
    if (Status fits = check_logits_memory(memory.logits, manifest, name); !fits) {
      return Failure{fits.error()};
    }
  }
  if (name == "window") {
    return std::unique_ptr<Plan>(
        std::make_unique<WindowPlan>(std::move(graphs), manifest, chosen[0], memory.logits));
  }
  Result<std::unique_ptr<CachePlan>> plan =
      CachePlan::create(graphs, manifest, chosen, cache_rows(manifest, name), memory);
  if (!plan) return Failure{plan.error()};
  return std::unique_ptr<Plan>(std::move(*plan));
}

}  // namespace ovenbird
