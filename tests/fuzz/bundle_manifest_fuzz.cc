// Any text as ovenbird.json: what is accepted is written and read back the same, and its numbers
// can be computed with.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "bundle/example_manifest.h"
#include "bundle/manifest.h"
#include "heap_bound.h"
#include "json_mutator.h"

/// Begins with a manifest that has every part.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t size_max,
                                          unsigned seed) {
  using namespace ovenbird;
  constexpr size_t kNothing = 3;
  if (size <= kNothing) return hand_over(to_json(example_manifest()), data, size_max);
  return mutate_documents(data, size, size_max, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ovenbird;
  const HeapBound bound(size);
  const Result<Manifest> manifest = parse_manifest({reinterpret_cast<const char*>(data), size});
  if (!manifest) {
    OVENBIRD_CHECK(!manifest.error().message.empty());
    return 0;
  }
  const std::string text = to_json(*manifest);
  const Result<Manifest> again = parse_manifest(text);
  OVENBIRD_CHECK(again && to_json(*again) == text);
  for (const GraphInfo& graph : manifest->graphs) {
    OVENBIRD_CHECK(manifest->find_graph(graph.file) != nullptr);
    OVENBIRD_CHECK(manifest->slot_bytes(graph.past) < uint64_t{1} << 52);  // nothing wrapped
  }
  return 0;
}
