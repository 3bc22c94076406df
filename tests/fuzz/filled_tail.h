// A file of which a fuzzer has the front: the weights behind it are all one byte, and only counted.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ovenbird {

inline constexpr uint32_t kTailBytesMax = 1 << 19;  // the largest golden checkpoint: 240 kB

/// In every type of numbers something positive: divisors of rotations have to be.
inline constexpr std::byte kTailByte{0x3c};

/// Exactly as long as the file, so that a sanitizer sees the first byte too many.
inline std::vector<std::byte> with_tail(std::span<const uint8_t> front, uint32_t tail_bytes) {
  std::vector<std::byte> file(front.size() + std::min(tail_bytes, kTailBytesMax), kTailByte);
  std::copy_n(reinterpret_cast<const std::byte*>(front.data()), front.size(), file.begin());
  return file;
}

}  // namespace ovenbird
