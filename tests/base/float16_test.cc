// Half and bfloat16: every bit pattern against the rule of IEEE 754, spelled out.
#include "base/float16.h"

#include <cmath>
#include <limits>

#include <doctest/doctest.h>

namespace ovenbird {
namespace {

/// Sign, 5 bits of exponent with bias 15, 10 bits of fraction.
double f16_by_the_rule(uint16_t bits) {
  const double sign = bits >> 15 != 0 ? -1 : 1;
  const int exponent = bits >> 10 & 31;
  const int fraction = bits & 1023;
  if (exponent == 31) {
    return fraction != 0 ? std::numeric_limits<double>::quiet_NaN()
                         : sign * std::numeric_limits<double>::infinity();
  }
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

TEST_CASE("every half number becomes the float of the same value") {
  int wrong = 0;
  for (uint32_t bits = 0; bits <= 0xffff; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const double wanted = f16_by_the_rule(half);
    const float seen = f16_to_f32(half);
    const bool is_same = std::isnan(wanted)
                             ? std::isnan(seen)
                             : seen == wanted && std::signbit(seen) == std::signbit(wanted);
    if (!is_same) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("every half number comes back from float unchanged") {
  int wrong = 0;
  for (uint32_t bits = 0; bits <= 0xffff; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    if (std::isnan(f16_by_the_rule(half))) continue;
    if (f32_to_f16(f16_to_f32(half)) != half) ++wrong;
  }
  CHECK(wrong == 0);
  CHECK(std::isnan(f16_to_f32(f32_to_f16(std::numeric_limits<float>::quiet_NaN()))));
}

TEST_CASE("between two half numbers the nearer one is taken, at the middle the even one") {
  int wrong = 0;
  for (uint32_t bits = 0; bits < 0x7bff; ++bits) {  // up to the last but one finite number
    const auto low = static_cast<uint16_t>(bits);
    const auto high = static_cast<uint16_t>(bits + 1);
    const float middle = (f16_to_f32(low) + f16_to_f32(high)) / 2;
    if (f32_to_f16(middle) != (bits % 2 == 0 ? low : high)) ++wrong;
    if (f32_to_f16(std::nextafter(middle, 0.0f)) != low) ++wrong;
    if (f32_to_f16(std::nextafter(middle, 1e9f)) != high) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("what exceeds the largest half number becomes infinity") {
  CHECK(f32_to_f16(65504.0f) == 0x7bff);
  CHECK(f32_to_f16(65519.996f) == 0x7bff);
  CHECK(f32_to_f16(65520.0f) == 0x7c00);
  CHECK(f32_to_f16(-1e30f) == 0xfc00);
}

TEST_CASE("every bfloat16 is the upper half of its float") {
  int wrong = 0;
  for (uint32_t bits = 0; bits <= 0xffff; ++bits) {
    const float seen = bf16_to_f32(static_cast<uint16_t>(bits));
    if (!std::isnan(seen) && std::bit_cast<uint32_t>(seen) != bits << 16) ++wrong;
  }
  CHECK(wrong == 0);
  CHECK(bf16_to_f32(0x3f80) == 1.0f);
  CHECK(bf16_to_f32(0xc049) == -3.140625f);
}

}  // namespace
}  // namespace ovenbird
