// Half and bfloat16 numbers as they lie in files and tensors, to and from float.
#pragma once

#include <bit>
#include <cstdint>

// In plain integer arithmetic: not every compiler has a native half type (clang 14 has none), those
// that have one call a library function where the processor is not known to convert, and what is
// smallest survives where subnormal floats are flushed to zero.
namespace ovenbird {

/// IEEE binary16 bits to float; exact, subnormals, infinities and NaN included.
inline float f16_to_f32(uint16_t bits) {
  constexpr uint32_t kRebias = (127 - 15) << 23;
  const uint32_t sign = (uint32_t{bits} & 0x8000) << 16;
  const uint32_t magnitude = bits & 0x7fff;
  if (magnitude < 0x0400) {  // subnormal: a multiple of 2^-24
    const float value = static_cast<float>(magnitude) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(value) | sign);
  }
  const uint32_t rebias = magnitude < 0x7c00 ? kRebias : 2 * kRebias;  // infinity stays infinity
  return std::bit_cast<float>(((magnitude << 13) + rebias) | sign);
}

/// Rounds to nearest, ties to even; what exceeds 65504 becomes infinity.
inline uint16_t f32_to_f16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 16 & 0x8000;
  uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00);   // not a number
  if (magnitude >= 0x477ff000) return static_cast<uint16_t>(sign | 0x7c00);  // 65520 and more
  if (magnitude < 0x38800000) {
    // Below 2^-14 half numbers are the multiples of 2^-24, as are the floats from 0.5 to 1: the
    // addition rounds.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000));
  }
  magnitude -= (127 - 15) << 23;
  magnitude += 0x0fff + (magnitude >> 13 & 1);
  return static_cast<uint16_t>(sign | magnitude >> 13);
}

/// bfloat16 is the upper half of a float; exact.
inline float bf16_to_f32(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

}  // namespace ovenbird
