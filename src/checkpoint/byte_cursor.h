// Reads a byte format from front to back, and never beyond its end.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace ovenbird {

static_assert(std::endian::native == std::endian::little, "checkpoints are little-endian");

/// Each read gives nothing, and consumes nothing, if too few bytes are left.
class ByteCursor {
 public:
  explicit ByteCursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

  template <typename Number>
  std::optional<Number> number() {
    if (left() < sizeof(Number)) return std::nullopt;
    Number value;
    std::memcpy(&value, bytes_.data() + position_, sizeof(Number));
    position_ += sizeof(Number);
    return value;
  }

  std::optional<std::span<const std::byte>> bytes(uint64_t count) {
    if (count > left()) return std::nullopt;
    const auto taken = bytes_.subspan(position_, count);
    position_ += count;
    return taken;
  }

  size_t position() const { return position_; }
  size_t left() const { return bytes_.size() - position_; }

 private:
  std::span<const std::byte> bytes_;
  size_t position_ = 0;
};

}  // namespace ovenbird
