// The same graphs that a bake plans, and the engine's own choice among them.
#include "fakes/toy_bundle.h"

#include "base/check.h"
#include "engine/open_engine.h"
#include "fakes/toy_model.h"

namespace ovenbird {
namespace {

constexpr uint32_t kChunkWidth = 128;
constexpr uint32_t kDraftWidth = 8;

void add_cached_graphs(std::vector<GraphInfo>& graphs, uint32_t past) {
  const std::string suffix = "_p" + std::to_string(past) + ".xml";
  graphs.push_back({.file = "step_w1" + suffix, .plan = "cached", .width = 1, .past = past});
  graphs.push_back(
      {.file = "step_w8" + suffix, .plan = "cached", .width = kDraftWidth, .past = past});
  graphs.push_back({.file = "step_w128" + suffix,
                    .plan = "cached",
                    .width = kChunkWidth,
                    .past = past,
                    .logit_rows = 1});
}

GraphSet chosen(const Manifest& manifest, const std::string& name, const std::string& device,
                const EngineOptions& options) {
  Result<std::vector<GraphInfo>> graphs = graphs_for(manifest, options, device);
  OVENBIRD_CHECK(graphs);
  return {.name = name, .plan = options.plan, .graphs = std::move(*graphs)};
}

}  // namespace

Manifest toy_manifest(const ToyBundle& bundle) {
  Manifest manifest{.cache_type = bundle.cache_type,
                    .model = ToyModel::facts(bundle.vocabulary, bundle.context)};
  manifest.graphs = {
      {.file = "openvino_model.xml", .plan = "window", .width = bundle.window_width},
      {.file = "dynamic.xml", .plan = "dynamic", .open_width = true, .open_past = true},
      {.file = "step_w128_open.xml",
       .plan = "cached",
       .width = kChunkWidth,
       .past = bundle.past,
       .open_past = true,
       .logit_rows = 1},
      {.file = "step_open.xml",
       .plan = "cached",
       .width = kChunkWidth,
       .open_width = true,
       .past = bundle.past,
       .open_past = true,
       .logit_rows = kDraftWidth}};
  if (bundle.short_past > 0) add_cached_graphs(manifest.graphs, bundle.short_past);
  add_cached_graphs(manifest.graphs, bundle.past);
  return manifest;
}

std::vector<GraphSet> cache_graph_sets(const Manifest& manifest) {
  std::vector<GraphSet> sets;
  for (const std::string device : {"CPU", "NPU"}) {
    const auto add = [&](const std::string& name, const EngineOptions& options) {
      sets.push_back(chosen(manifest, "cached " + device + " " + name, device, options));
    };
    add("lean", {.recipe = Recipe::kLean});
    add("balanced", {.recipe = Recipe::kBalanced});
    add("fast", {.recipe = Recipe::kFast});
    add("score", {.score = true});
  }
  sets.push_back(chosen(manifest, "dynamic", "CPU", {.plan = "dynamic"}));
  return sets;
}

GraphSet graph_set(const Manifest& manifest, const std::string& name) {
  for (GraphSet& set : cache_graph_sets(manifest)) {
    if (set.name == name) return std::move(set);
  }
  OVENBIRD_CHECK(name == "window");
  return chosen(manifest, name, "NPU", {.plan = "window"});
}

}  // namespace ovenbird
