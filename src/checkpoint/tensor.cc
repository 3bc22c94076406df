// Element types, their block layouts, and how a Tensor finds its rows.
#include "base/check.h"
#include "checkpoint/checkpoint.h"

namespace ovenbird {

const char* name_of(ElementType type) {
  switch (type) {
    case ElementType::kF32:
      return "F32";
    case ElementType::kF16:
      return "F16";
    case ElementType::kBF16:
      return "BF16";
    case ElementType::kQ4_0:
      return "Q4_0";
    case ElementType::kQ4_1:
      return "Q4_1";
    case ElementType::kQ5_0:
      return "Q5_0";
    case ElementType::kQ5_1:
      return "Q5_1";
    case ElementType::kQ8_0:
      return "Q8_0";
    case ElementType::kQ4_K:
      return "Q4_K";
    case ElementType::kQ5_K:
      return "Q5_K";
    case ElementType::kQ6_K:
      return "Q6_K";
  }
  return "?";
}

// The sums name the fields of each block; dequantize.cc and dequantize_k.cc say what they mean.
BlockLayout block_layout(ElementType type) {
  switch (type) {
    case ElementType::kF32:
      return {1, 4};
    case ElementType::kF16:
      return {1, 2};
    case ElementType::kBF16:
      return {1, 2};
    case ElementType::kQ4_0:
      return {32, 2 + 16};  // scale, nibbles
    case ElementType::kQ4_1:
      return {32, 2 + 2 + 16};  // scale, offset, nibbles
    case ElementType::kQ5_0:
      return {32, 2 + 4 + 16};  // scale, fifth bits, nibbles
    case ElementType::kQ5_1:
      return {32, 2 + 2 + 4 + 16};  // scale, offset, fifth bits, nibbles
    case ElementType::kQ8_0:
      return {32, 2 + 32};  // scale, bytes
    case ElementType::kQ4_K:
      return {256, 2 + 2 + 12 + 128};  // two scales, groups, nibbles
    case ElementType::kQ5_K:
      return {256, 2 + 2 + 12 + 32 + 128};  // ... fifth bits, nibbles
    case ElementType::kQ6_K:
      return {256, 128 + 64 + 16 + 2};  // nibbles, upper bits, groups, scale
  }
  return {1, 4};
}

uint64_t Tensor::row_bytes() const {
  const BlockLayout block = block_layout(type);
  return columns / block.elements * block.bytes;
}

uint64_t Tensor::stored_row(uint64_t row) const {
  if (interleaved_heads == 0) return row;
  // Rotation turns pairs. The model keeps pair i of a head in rows i and i + half; the file keeps
  // it in rows 2i and 2i + 1.
  const uint64_t head_rows = rows / interleaved_heads;
  const uint64_t half = head_rows / 2;
  const uint64_t in_head = row % head_rows;
  return row - in_head + in_head % half * 2 + in_head / half;
}

std::span<const std::byte> Tensor::row(uint64_t row) const {
  OVENBIRD_CHECK(row < rows);
  return bytes.subspan(stored_row(row) * row_bytes(), row_bytes());
}

}  // namespace ovenbird
