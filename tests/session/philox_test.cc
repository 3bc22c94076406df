// Philox: the known answers that its authors publish with Random123, and an even spread.
#include "session/philox.h"

#include <array>
#include <cstddef>
#include <cstdlib>

#include <doctest/doctest.h>

namespace ovenbird {
namespace {

using Words4 = std::array<uint32_t, 4>;

TEST_CASE("philox4x32-10 gives the known answers of Random123's kat_vectors") {
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) == Words4{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
        Words4{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words4{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a position always has the same number, and both halves of seed and position matter") {
  CHECK(uniform_at(1, 2) == uniform_at(1, 2));
  CHECK(uniform_at(1, 2) != uniform_at(1, 3));
  CHECK(uniform_at(1, 2) != uniform_at(2, 2));
  CHECK(uniform_at(1, 2) != uniform_at(1, 2 + (uint64_t{1} << 32)));
  CHECK(uniform_at(1, 2) != uniform_at(1 + (uint64_t{1} << 32), 2));
}

TEST_CASE("the numbers of successive positions spread evenly over [0, 1)") {
  constexpr int kDraws = 100'000;
  std::array<int, 10> tenths = {};
  for (uint64_t position = 0; position < kDraws; ++position) {
    const double number = uniform_at(42, position);
    REQUIRE(number >= 0.0);
    REQUIRE(number < 1.0);
    ++tenths[static_cast<size_t>(number * 10.0)];
  }
  // Each tenth expects 10,000 with a standard deviation of 95.
  for (const int count : tenths) CHECK(std::abs(count - kDraws / 10) < 5 * 95);
}

}  // namespace
}  // namespace ovenbird
