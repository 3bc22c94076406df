// From a manifest to the shape of an arena.
#include "supervisor/served_bundle.h"

#include <algorithm>

#include "base/device_order.h"
#include "bundle/bundle.h"

namespace ovenbird {
namespace {

const GraphInfo* find_graph_of(const Manifest& manifest, const std::string& plan) {
  const auto found = std::find_if(manifest.graphs.begin(), manifest.graphs.end(),
                                  [&](const GraphInfo& graph) { return graph.plan == plan; });
  return found == manifest.graphs.end() ? nullptr : &*found;
}

}  // namespace

Result<ServedBundle> open_served_bundle(const SupervisorOptions& options) {
  const Result<Bundle> bundle = Bundle::open(options.bundle);
  if (!bundle) return Failure{bundle.error()};
  Result<std::vector<std::string>> devices = devices_from(options.device);
  if (!devices) return Failure{devices.error()};
  const Result<wire::Digest> digest = bundle->digest();
  if (!digest) return Failure{digest.error()};
  const Manifest& manifest = bundle->manifest();
  const std::string plan = options.plan.value_or(best_plan(manifest));
  const GraphInfo* graph = find_graph_of(manifest, plan);
  if (!graph) {
    return fail(Code::kInvalidArgument,
                "plan " + plan + ": " + bundle->directory().string() + " has no graph for it");
  }
  const uint32_t rows = cache_rows(manifest, plan);
  ServedBundle served;
  served.devices = std::move(*devices);
  served.model = {.path = bundle->directory().string(),
                  .plan = plan,
                  .vocabulary = manifest.model.vocabulary,
                  .context = rows ? rows : graph->width,
                  .logit_rows = logit_rows_max(manifest, plan)};
  served.arena = {.slots = options.slots, .sessions_max = options.sessions, .model = *digest};
  if (rows == 0) return served;
  served.model.kv_heads = manifest.model.kv_heads;
  served.model.row_bytes = manifest.model.head_dim * bytes_of(manifest.cache_type);
  served.arena.rows = rows;
  served.arena.tensors = 2 * manifest.model.layers;
  served.arena.scratch_bytes = manifest.head_bytes(rows);
  served.arena.tensor_bytes = served.arena.scratch_bytes * manifest.model.kv_heads;
  return served;
}

}  // namespace ovenbird
