// Any bytes as an export's graph: what is accepted names no number beyond the weights file.
#include <cstddef>
#include <cstdint>

#include "bake/import_check.h"
#include "base/check.h"
#include "heap_bound.h"
#include "xml_mutator.h"

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t size_max,
                                          unsigned seed) {
  return ovenbird::mutate_xml(data, size, size_max, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ovenbird;
  const HeapBound bound(size);
  const Result<IrGraph> graph = read_ir_graph({reinterpret_cast<const char*>(data), size});
  if (!graph) return 0;
  const uint64_t weights_bytes = size * 7;  // any length
  const Result<CacheForm> form = check_exported_graph(*graph, weights_bytes);
  if (!form) {
    const Code code = form.error().code;
    OVENBIRD_CHECK(code == Code::kCorrupt || code == Code::kUnsupported);
    OVENBIRD_CHECK(form.error().message.find('\n') == std::string::npos);
    return 0;
  }
  for (const IrLayer& layer : graph->layers) {
    if (!layer.constant) continue;
    OVENBIRD_CHECK(layer.constant->offset <= weights_bytes);
    OVENBIRD_CHECK(layer.constant->bytes <= weights_bytes - layer.constant->offset);
  }
  return 0;
}
