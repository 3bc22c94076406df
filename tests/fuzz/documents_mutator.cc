// The mutator of fuzzers whose inputs are JSON documents, with NULs between them.
#include <cstddef>
#include <cstdint>

#include "json_mutator.h"

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t size_max,
                                          unsigned seed) {
  return ovenbird::mutate_documents(data, size, size_max, seed);
}
