// Any bytes as an IR: what is accepted holds together, and the rules come to an end on it.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "heap_bound.h"
#include "npu/npu_rules.h"
#include "xml_mutator.h"

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t size_max,
                                          unsigned seed) {
  return ovenbird::mutate_xml(data, size, size_max, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ovenbird;
  const HeapBound bound(size);
  const Result<IrGraph> graph = read_ir_graph({reinterpret_cast<const char*>(data), size});
  if (!graph) {
    OVENBIRD_CHECK(graph.error().code == Code::kCorrupt && !graph.error().message.empty());
    return 0;
  }
  for (const IrLayer& layer : graph->layers) {
    for (const IrSource& source : layer.sources) {
      OVENBIRD_CHECK(source.layer < graph->layers.size());
      OVENBIRD_CHECK(source.output < graph->layers[source.layer].outputs.size());
    }
  }
  for (const NpuPlatform platform : kNpuPlatforms) {
    for (const NpuRefusal& refusal : npu_refusals(*graph, platform)) {
      OVENBIRD_CHECK(!refusal.why.empty() && refusal.why.find('\n') == std::string::npos);
    }
  }
  return 0;
}
