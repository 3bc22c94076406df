// From a plan's name to the plan.
#include "session/cache_plan.h"
#include "session/plan.h"
#include "session/window_plan.h"

namespace ovenbird {

Result<std::unique_ptr<Plan>> make_plan(const std::string& name, Engine& engine,
                                        const Manifest& manifest) {
  std::vector<size_t> graphs;
  for (size_t graph = 0; graph < engine.graphs().size(); ++graph) {
    if (engine.graphs()[graph].plan == name) graphs.push_back(graph);
  }
  if (graphs.empty()) {
    return fail(Code::kInvalidArgument, "plan " + name + ": the engine has no graph for it");
  }
  if (name == "window") {
    return std::unique_ptr<Plan>(std::make_unique<WindowPlan>(engine, manifest, graphs[0]));
  }
  Result<std::unique_ptr<CachePlan>> plan = CachePlan::create(engine, manifest, graphs);
  if (!plan) return Failure{plan.error()};
  return std::unique_ptr<Plan>(std::move(*plan));
}

}  // namespace ovenbird
