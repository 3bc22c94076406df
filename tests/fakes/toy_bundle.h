// A manifest of the toy model with the graphs of a real bundle.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bundle/manifest.h"

namespace ovenbird {

struct ToyBundle {
  uint32_t vocabulary = 64;
  uint32_t context = 1024;    // tokens the model was trained on
  uint32_t past = 1024;       // P of the cached graphs
  uint32_t short_past = 512;  // of the smaller ones; 0 = there are none
  uint32_t window_width = 128;
  CacheType cache_type = CacheType::kF16;
};

/// What a bake with these sizes writes down.
Manifest toy_manifest(const ToyBundle& bundle);

/// Which graphs a device takes of a plan, as the engine's recipes choose them.
struct GraphSet {
  std::string name;
  std::string plan;
  std::vector<GraphInfo> graphs;
};

/// Every recipe's graphs of the cached plan on a CPU and on an NPU, those for scoring, and the
/// dynamic plan's.
std::vector<GraphSet> cache_graph_sets(const Manifest& manifest);

/// One of these by name: "cached CPU fast", "cached NPU lean", "dynamic"; or "window".
GraphSet graph_set(const Manifest& manifest, const std::string& name);

}  // namespace ovenbird
