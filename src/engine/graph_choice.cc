// Recipes: which graphs of a plan a device compiles.
//
//            CPU and GPU                          NPU (static shapes only)
//   lean     one graph of open width              width 8 for everything
//   balanced width 128 of open past + width 1     widths 128 + 1
//   fast     the same + width 8                   widths 128 + 1 + 8
//
// The CPU begins with the graphs over few past rows and goes over to the larger ones when a
// conversation has grown; for an NPU, where compiling takes long, only the largest are used.
#include <algorithm>

#include "engine/open_engine.h"

namespace ovenbird {
namespace {

/// Whether a recipe uses a graph of the cached plan.
bool uses(const EngineOptions& options, const GraphInfo& graph, bool static_only) {
  const bool open = graph.open_width || graph.open_past;
  if (options.score) return graph.width == 8;  // gives every row's logits
  if (options.recipe == Recipe::kLean) return static_only ? graph.width == 8 : graph.open_width;
  if (graph.width == 1) return true;
  if (graph.width == 8) return options.recipe == Recipe::kFast;
  return static_only ? !open : graph.open_past && !graph.open_width;
}

uint32_t longest_past(const Manifest& manifest) {
  uint32_t past = 0;
  for (const GraphInfo& graph : manifest.graphs) past = std::max(past, graph.past);
  return past;
}

std::vector<GraphInfo> cached_graphs(const Manifest& manifest, const EngineOptions& options,
                                     bool static_only) {
  std::vector<GraphInfo> chosen;
  for (const GraphInfo& graph : manifest.graphs) {
    if (graph.plan != "cached" || !uses(options, graph, static_only)) continue;
    if (static_only && (graph.past != longest_past(manifest) || !graph.is_static())) continue;
    chosen.push_back(graph);
  }
  // Prefill comes first, so the widest graph is needed first; then short pasts before long ones.
  std::stable_sort(chosen.begin(), chosen.end(), [](const GraphInfo& a, const GraphInfo& b) {
    return a.width != b.width ? a.width > b.width : a.past < b.past;
  });
  return chosen;
}

}  // namespace

Result<std::vector<GraphInfo>> graphs_for(const Manifest& manifest, const EngineOptions& options,
                                          const std::string& device) {
  const bool static_only = device == "NPU";
  std::vector<GraphInfo> chosen;
  if (options.plan == "cached") {
    chosen = cached_graphs(manifest, options, static_only);
  } else {
    for (const GraphInfo& graph : manifest.graphs) {
      if (graph.plan != options.plan) continue;
      if (static_only && !graph.is_static()) {
        return fail(Code::kInvalidArgument, "plan " + options.plan +
                                                " on the NPU: its shapes are "
                                                "open, and an NPU takes none; use --plan cached or "
                                                "window, or --device CPU");
      }
      chosen.push_back(graph);
    }
  }
  if (chosen.empty()) {
    return fail(Code::kInvalidArgument,
                "plan " + options.plan + ": the bundle has no graph for it; bake again");
  }
  return chosen;
}

}  // namespace ovenbird
