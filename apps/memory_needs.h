// How much memory running a bundle takes at least, by recipe.
#pragma once

#include <cstdint>

#include "bundle/manifest.h"

namespace ovenbird {

/// In bytes. A device packs the weights again for every graph that it compiles, and may take more
/// than they have here; on a CPU, a conversation that outgrows a smaller past has the graphs of the
/// larger one compiled besides. What `bench` measures is the truth.
struct MemoryNeeds {
  uint64_t weights = 0;   // the mapped file
  uint64_t slot = 0;      // one conversation, for the largest past
  uint64_t lean = 0;      // weights packed once, one slot
  uint64_t balanced = 0;  // ... twice
  uint64_t fast = 0;      // ... once for each width of the cached plan
};

MemoryNeeds memory_needs(const Manifest& manifest);

}  // namespace ovenbird
