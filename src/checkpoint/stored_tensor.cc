// Sizes and names of tensors, checked without overflow.
#include "checkpoint/stored_tensor.h"

#include <algorithm>

#include "base/limits.h"

namespace ovenbird {

std::optional<uint64_t> stored_bytes(ElementType type, const std::vector<uint64_t>& shape) {
  const BlockLayout block = block_layout(type);
  const uint64_t row = shape.empty() ? 1 : shape.back();
  if (row % block.elements != 0) return std::nullopt;
  uint64_t bytes = block.bytes;
  if (__builtin_mul_overflow(bytes, row / block.elements, &bytes)) return std::nullopt;
  for (size_t axis = 0; axis + 1 < shape.size(); ++axis) {
    if (__builtin_mul_overflow(bytes, shape[axis], &bytes)) return std::nullopt;
  }
  return bytes;
}

bool is_tensor_name(std::string_view name) {
  if (name.empty() || name.size() > limits::kTensorNameBytesMax) return false;
  return std::none_of(name.begin(), name.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < ' ' || byte == 0x7f;
  });
}

}  // namespace ovenbird
