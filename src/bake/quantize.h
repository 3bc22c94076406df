// One row of weights into the bytes it is stored as. Pure arithmetic.
#pragma once

#include <cstddef>
#include <span>

#include "bake/stored_weights.h"
#include "checkpoint/checkpoint.h"

namespace ovenbird {

/// Where one row's numbers go; each span has exactly the row's bytes.
struct RowSink {
  std::span<std::byte> values;  // padded_columns numbers, 4-bit ones packed low nibble first
  std::span<std::byte> scales;  // one per group
  std::span<std::byte> zeros;   // one per group, if the format has any
};

/// Bytes of one row of a matrix: values, scales and zeros.
struct RowBytes {
  uint64_t values = 0;
  uint64_t scales = 0;
  uint64_t zeros = 0;
};
RowBytes row_bytes(const MatrixFormat& format, uint64_t padded_columns);

/// Rounds `row` to `format` (any type but a GGUF-kept one); columns beyond the row become 0.
/// Scales are rounded to f16 first and the values then to the rounded scale.
/// - i4: the group's largest weight comes to lie near -8 or 7, under the scale of the least error.
/// - nf4: the group's largest weight becomes -1 or 1 times the scale.
/// - i8: the largest weight becomes 127 or -127.
/// - u4 asymmetric: scale and zero point span the group's range, 0 included.
/// False if the row holds NaN, infinity, or a number that the type cannot hold: f16 ends at 65504,
/// quantized groups where their scale would pass that.
bool quantize_row(const MatrixFormat& format, std::span<const float> row, const RowSink& sink);

/// Stores the low four bits of `nibble`.
void put_nibble(std::span<std::byte> values, uint64_t index, uint32_t nibble);
void put_f16(std::span<std::byte> numbers, uint64_t index, float value);
/// A number as f16 will give it back; infinity beyond what f16 holds.
float as_f16(float value);
bool all_finite(std::span<const float> row);

/// How a GGUF tensor is kept without loss: its blocks' numbers under scales (and zero points) that
/// give the same weights, to f32 rounding. Plain types stay what they are (BF16 becomes f32).
MatrixFormat lossless_format(ElementType type);

/// Re-arranges one stored row into lossless_format(type). False if a block's scale is not finite.
bool keep_row(ElementType type, std::span<const std::byte> stored, std::span<const float> row,
              const RowSink& sink);

}  // namespace ovenbird
