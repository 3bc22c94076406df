// GGUF blocks kept without loss: their integers stay, their scales become OpenVINO's.
//
// Block layouts as ggml writes them (little endian; d, m: f16; 32 weights a block, K: 256):
//   Q4_0  d, 16 bytes: low nibbles are weights 0-15, high ones 16-31; w = d (q - 8)
//   Q4_1  d, m, 16 bytes as above;                                  w = d q + m
//   Q5_0  d, 32 high bits, 16 bytes;                                w = d (q - 16)
//   Q5_1  d, m, 32 high bits, 16 bytes;                             w = d q + m
//   Q8_0  d, 32 signed bytes;                                       w = d q
//   Q4_K, Q5_K  d, dmin, 12 bytes with eight 6-bit scales and minima; w = d s q - dmin m
//   Q6_K  low 4 bits, high 2 bits, 16 signed scales, d;             w = d s (q - 32)
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "bake/quantize.h"
#include "base/check.h"
#include "base/float16.h"

namespace ovenbird {
namespace {

/// What the weights of a group share: w = scale * q + minimum, q an integer.
struct Group {
  float scale = 0.0f;
  float minimum = 0.0f;
};

float read_f16(std::span<const std::byte> block, size_t at) {
  uint16_t bits;
  std::memcpy(&bits, &block[at], sizeof bits);
  return f16_to_f32(bits);
}

/// The j-th of the eight 6-bit (scale, minimum) pairs of a Q4_K or Q5_K block.
std::pair<uint32_t, uint32_t> k_scale(std::span<const std::byte> packed, size_t j) {
  const auto at = [&](size_t i) { return std::to_integer<uint32_t>(packed[i]); };
  if (j < 4) return {at(j) & 63, at(j + 4) & 63};
  return {(at(j + 4) & 15) | (at(j - 4) >> 6 << 4), (at(j + 4) >> 4) | (at(j) >> 6 << 4)};
}

/// Scales of one block; returns how many groups it has.
size_t read_groups(ElementType type, std::span<const std::byte> block, std::array<Group, 16>& out) {
  switch (type) {
    case ElementType::kQ4_0:
    case ElementType::kQ5_0:
    case ElementType::kQ8_0:
      out[0] = {read_f16(block, 0), 0.0f};
      return 1;
    case ElementType::kQ4_1:
    case ElementType::kQ5_1:
      out[0] = {read_f16(block, 0), read_f16(block, 2)};
      return 1;
    case ElementType::kQ4_K:
    case ElementType::kQ5_K:
      for (size_t j = 0; j < 8; ++j) {
        const auto [scale, minimum] = k_scale(block.subspan(4, 12), j);
        out[j] = {read_f16(block, 0) * static_cast<float>(scale),
                  -read_f16(block, 2) * static_cast<float>(minimum)};
      }
      return 8;
    case ElementType::kQ6_K:
      for (size_t j = 0; j < 16; ++j) {
        const auto scale = static_cast<int8_t>(block[192 + j]);
        out[j] = {read_f16(block, 208) * static_cast<float>(scale), 0.0f};
      }
      return 16;
    default:
      OVENBIRD_CHECK(false && "not a block type");
      return 0;
  }
}

/// The integer of a weight, recovered from the weight itself: exact, for |q| is small and the
/// reader computed scale * q + minimum with one or two roundings. Only where the minimum is so
/// large that rounding swallows steps of q can it be another integer, and of the same weight; what
/// `type` holds is then as near.
int32_t integer_of(float weight, const Group& group, StoredType type) {
  const auto q = static_cast<int32_t>(std::lrintf((weight - group.minimum) / group.scale));
  return type == StoredType::kU4 ? std::clamp(q, 0, 15) : q;
}

void put_value(const MatrixFormat& format, std::span<std::byte> values, uint64_t index, int32_t q) {
  if (format.type == StoredType::kI8 || format.type == StoredType::kU8) {
    values[index] = static_cast<std::byte>(q);
    return;
  }
  const auto nibble = static_cast<std::byte>(q & 15);
  std::byte& pair = values[index / 2];
  pair = index % 2 == 0 ? nibble : pair | nibble << 4;
}

void put_number(StoredType type, std::span<std::byte> numbers, uint64_t index, float value) {
  if (type == StoredType::kF16) {
    const uint16_t bits = f32_to_f16(value);
    std::memcpy(&numbers[index * sizeof bits], &bits, sizeof bits);
  } else {
    std::memcpy(&numbers[index * sizeof value], &value, sizeof value);
  }
}

/// Writes one group. A group of scale 0 is a constant, the minimum: kept as 1 * minimum.
void keep_group(const MatrixFormat& format, Group group, std::span<const float> weights,
                uint64_t first, const RowSink& sink) {
  const uint64_t index = first / format.group;
  const bool constant = group.scale == 0.0f;
  const float scale = constant ? group.minimum : group.scale;
  put_number(format.scale_type, sink.scales, index, scale);
  if (format.has_zeros) {
    put_number(format.zero_type, sink.zeros, index, constant ? 0.0f : -group.minimum / scale);
  }
  for (size_t i = 0; i < weights.size(); ++i) {
    put_value(format, sink.values, first + i,
              constant ? 1 : integer_of(weights[i], group, format.type));
  }
}

}  // namespace

MatrixFormat lossless_format(ElementType type) {
  // Products of two scales and minima over scales need more than f16's 11 bits.
  const auto with_minimum = [](StoredType stored) {
    return MatrixFormat{.type = stored,
                        .group = 32,
                        .scale_type = StoredType::kF32,
                        .has_zeros = true,
                        .zero_type = StoredType::kF32};
  };
  switch (type) {
    case ElementType::kF32:
    case ElementType::kBF16:
      return {.type = StoredType::kF32};
    case ElementType::kF16:
      return {.type = StoredType::kF16};
    case ElementType::kQ4_0:
      return {.type = StoredType::kI4, .group = 32};
    case ElementType::kQ5_0:
    case ElementType::kQ8_0:
      return {.type = StoredType::kI8, .group = 32};
    case ElementType::kQ4_1:
    case ElementType::kQ4_K:
      return with_minimum(StoredType::kU4);
    case ElementType::kQ5_1:
    case ElementType::kQ5_K:
      return with_minimum(StoredType::kU8);
    case ElementType::kQ6_K:
      return {.type = StoredType::kI8, .group = 16, .scale_type = StoredType::kF32};
  }
  return {};
}

bool keep_row(ElementType type, std::span<const std::byte> stored, std::span<const float> row,
              const RowSink& sink) {
  const MatrixFormat format = lossless_format(type);
  if (format.group == 0) return quantize_row(format, row, sink);
  const BlockLayout layout = block_layout(type);
  for (uint64_t first = 0; first < row.size(); first += layout.elements) {
    std::array<Group, 16> groups;
    const auto block = stored.subspan(first / layout.elements * layout.bytes, layout.bytes);
    const size_t count = read_groups(type, block, groups);
    for (size_t j = 0; j < count; ++j) {
      if (!std::isfinite(groups[j].scale) || !std::isfinite(groups[j].minimum)) return false;
      const uint64_t start = first + j * format.group;
      keep_group(format, groups[j], row.subspan(start, format.group), start, sink);
    }
  }
  return true;
}

}  // namespace ovenbird
