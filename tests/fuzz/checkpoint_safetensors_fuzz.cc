// Any bytes as a safetensors file: they are refused, or every tensor can be read to its end.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "checkpoint/safetensors_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto tensors = ovenbird::read_safetensors(std::as_bytes(std::span(data, size)));
  if (!tensors) {
    OVENBIRD_CHECK(!tensors.error().message.empty());
    return 0;
  }
  size_t covered = 0;
  for (const ovenbird::StoredTensor& tensor : *tensors) {
    covered += tensor.bytes.size();
    std::vector<float> numbers(tensor.bytes.size() / ovenbird::block_layout(tensor.type).bytes);
    ovenbird::dequantize(tensor.type, tensor.bytes, numbers);
  }
  OVENBIRD_CHECK(covered < size);
  return 0;
}
