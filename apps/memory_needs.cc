// How much memory running a bundle takes at least.
#include "memory_needs.h"

#include <algorithm>
#include <set>

namespace ovenbird {

MemoryNeeds memory_needs(const Manifest& manifest) {
  MemoryNeeds needs;
  for (const WeightsInfo& weights : manifest.weights) needs.weights += weights.bytes;
  std::set<uint32_t> widths;
  for (const GraphInfo& graph : manifest.graphs) {
    needs.slot = std::max(needs.slot, manifest.slot_bytes(graph.past));
    if (graph.plan == "cached" && graph.is_static()) widths.insert(graph.width);
  }
  const uint64_t most = std::max<uint64_t>(widths.size(), 1);
  needs.lean = needs.weights + needs.slot;
  needs.balanced = std::min<uint64_t>(most, 2) * needs.weights + needs.slot;
  needs.fast = most * needs.weights + needs.slot;
  return needs;
}

}  // namespace ovenbird
