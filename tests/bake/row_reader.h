// A stored row read back, number by number, as a device would.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "bake/nf4.h"
#include "bake/quantize.h"
#include "base/float16.h"

namespace ovenbird {

/// Room for one row in `format`; the bytes begin as garbage, as they do in a bake.
class StoredRow {
 public:
  StoredRow(const MatrixFormat& format, size_t columns) : format_(format) {
    const size_t group = format.group ? format.group : 1;
    padded_columns_ = (columns + group - 1) / group * group;
    const RowBytes bytes = row_bytes(format, padded_columns_);
    values_.resize(bytes.values, std::byte{0xA5});
    scales_.resize(bytes.scales, std::byte{0xA5});
    zeros_.resize(bytes.zeros, std::byte{0xA5});
  }

  RowSink sink() const { return {.values = values_, .scales = scales_, .zeros = zeros_}; }
  const std::vector<std::byte>& values() const { return values_; }
  size_t padded_columns() const { return padded_columns_; }

  int value(size_t column) const {
    if (format_.type == StoredType::kI8) return static_cast<int8_t>(values_[column]);
    if (format_.type == StoredType::kU8) return static_cast<uint8_t>(values_[column]);
    const int nibble = std::to_integer<int>(values_[column / 2]) >> (column % 2 * 4) & 15;
    return format_.type == StoredType::kI4 && nibble > 7 ? nibble - 16 : nibble;
  }
  double scale(size_t group) const { return number(format_.scale_type, scales_, group); }
  double zero(size_t group) const {
    return format_.has_zeros ? number(format_.zero_type, zeros_, group) : 0.0;
  }
  double weight(size_t column) const {
    const size_t group = column / format_.group;
    if (format_.type == StoredType::kNf4) return kNf4Values[value(column)] * scale(group);
    return (value(column) - zero(group)) * scale(group);
  }
  /// As a device with f32 arithmetic computes it.
  float weight_f32(size_t column) const {
    const size_t group = column / format_.group;
    const float shifted = static_cast<float>(value(column)) - static_cast<float>(zero(group));
    return shifted * static_cast<float>(scale(group));
  }

 private:
  static double number(StoredType type, const std::vector<std::byte>& numbers, size_t index) {
    if (type == StoredType::kU8) return std::to_integer<int>(numbers[index]);
    if (type == StoredType::kF32) {
      float value;
      std::memcpy(&value, &numbers[index * sizeof value], sizeof value);
      return value;
    }
    uint16_t bits;
    std::memcpy(&bits, &numbers[index * sizeof bits], sizeof bits);
    return f16_to_f32(bits);
  }

  MatrixFormat format_;
  size_t padded_columns_ = 0;
  mutable std::vector<std::byte> values_, scales_, zeros_;
};

}  // namespace ovenbird
