// Half and bfloat16 numbers as they lie in files and tensors, to and from float.
#pragma once

#include <bit>
#include <cstdint>

namespace ovenbird {

/// IEEE binary16 bits to float; exact, subnormals, infinities and NaN included.
inline float f16_to_f32(uint16_t bits) {
  // _Float16 is g++'s and clang's native half type; hardware does the work where it can.
  return static_cast<float>(std::bit_cast<_Float16>(bits));
}

/// Rounds to nearest, ties to even; what exceeds 65504 becomes infinity.
inline uint16_t f32_to_f16(float value) {
  return std::bit_cast<uint16_t>(static_cast<_Float16>(value));
}

/// bfloat16 is the upper half of a float; exact.
inline float bf16_to_f32(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

}  // namespace ovenbird
