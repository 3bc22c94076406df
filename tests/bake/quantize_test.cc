// Rounding to 4, 8 and 16 bits, against the same arithmetic done plainly in doubles.
#include "bake/quantize.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "bake/nf4.h"
#include "bake/row_reader.h"
#include "base/float16.h"

namespace ovenbird {
namespace {

constexpr MatrixFormat i4(uint64_t group) { return {.type = StoredType::kI4, .group = group}; }
constexpr MatrixFormat i8(uint64_t group) { return {.type = StoredType::kI8, .group = group}; }
constexpr MatrixFormat u4(uint64_t group) {
  return {.type = StoredType::kU4, .group = group, .has_zeros = true};
}

std::vector<float> random_row(size_t size, uint32_t seed, float spread = 0.05f) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.0f, spread);
  std::vector<float> row(size);
  for (float& weight : row) weight = normal(generator);
  return row;
}

/// What a group's scale and zero point must be.
struct Wanted {
  double scale = 0;
  int zero = 0;
  int lowest = 0, highest = 0;
};

double f16_of(double value) { return f16_to_f32(f32_to_f16(static_cast<float>(value))); }

/// Errors of an i4 group, squared and weighted by the weights' sizes.
double i4_loss(std::span<const float> group, double scale) {
  double loss = 0;
  for (const double weight : group) {
    const double ideal = scale == 0 ? 0 : weight / scale;
    const double error = std::clamp(std::nearbyint(ideal), -8.0, 7.0) * scale - weight;
    loss += std::abs(weight) * error * error;
  }
  return loss;
}

double best_i4_scale(std::span<const float> group, double extreme) {
  double best = f16_of(extreme / -8);
  for (const double end : {6.0, 6.5, 7.0, 7.5, 8.0, 8.5, 9.0}) {
    for (const double scale : {f16_of(extreme / -end), f16_of(extreme / end)}) {
      if (i4_loss(group, scale) < i4_loss(group, best)) best = scale;
    }
  }
  return best;
}

Wanted wanted_for(StoredType type, std::span<const float> group) {
  double extreme = 0, low = 0, high = 0;
  for (const double weight : group) {
    if (std::abs(weight) > std::abs(extreme)) extreme = weight;
    low = std::min(low, weight);
    high = std::max(high, weight);
  }
  if (type == StoredType::kI4) return {best_i4_scale(group, extreme), 0, -8, 7};
  if (type == StoredType::kI8) return {f16_of(std::abs(extreme) / 127), 0, -127, 127};
  const double scale = f16_of((high - low) / 15);
  const double zero = scale == 0 ? 0 : std::clamp(std::nearbyint(-low / scale), 0.0, 15.0);
  return {scale, static_cast<int>(zero), 0, 15};
}

void check_row(const MatrixFormat& format, const std::vector<float>& row) {
  const StoredRow stored(format, row.size());
  REQUIRE(quantize_row(format, row, stored.sink()));
  for (size_t first = 0; first < stored.padded_columns(); first += format.group) {
    const size_t end = std::min<size_t>(first + format.group, row.size());
    const Wanted wanted = wanted_for(format.type, std::span(row).subspan(first, end - first));
    const size_t group = first / format.group;
    const double scale = stored.scale(group);
    if (format.type == StoredType::kI4) {  // two scales may be as good as each other
      const auto weights = std::span(row).subspan(first, end - first);
      CHECK(i4_loss(weights, scale) <= i4_loss(weights, wanted.scale) * 1.0001 + 1e-30);
    } else {
      CHECK(scale == wanted.scale);
    }
    CHECK(stored.zero(group) == wanted.zero);
    for (size_t column = first; column < first + format.group; ++column) {
      CAPTURE(column);
      const int value = stored.value(column);
      if (column >= row.size()) {
        CHECK(value == 0);
        continue;
      }
      const double ideal = scale == 0 ? 0 : row[column] / scale + wanted.zero;
      const double clamped = std::clamp(ideal, double(wanted.lowest), double(wanted.highest));
      CHECK(value >= wanted.lowest);
      CHECK(value <= wanted.highest);
      CHECK(std::abs(value - clamped) <= 0.5001);
    }
  }
}

TEST_CASE("every value is the nearest one under the scale that its group must have") {
  for (const MatrixFormat& format : {i4(32), i4(128), i8(32), i8(100), u4(32), u4(128)}) {
    CAPTURE(name_of(format.type));
    CAPTURE(format.group);
    for (uint32_t seed = 0; seed < 20; ++seed) check_row(format, random_row(512, seed));
    for (const float spread : {1e-6f, 1e-4f, 30.0f, 1e4f})
      check_row(format, random_row(256, 7, spread));
  }
}

TEST_CASE("every nf4 weight gets the nearest value of its group") {
  const MatrixFormat format{.type = StoredType::kNf4, .group = 64};
  for (const size_t size : {1, 63, 64, 300}) {
    const std::vector<float> row = random_row(size, 5);
    const StoredRow stored(format, size);
    REQUIRE(quantize_row(format, row, stored.sink()));
    for (size_t column = 0; column < size; ++column) {
      const double scale = stored.scale(column / 64);
      const double error = std::abs(stored.weight(column) - row[column]);
      for (const float value : kNf4Values) {
        CHECK(error <= std::abs(value * scale - row[column]) + 1e-7);
      }
    }
  }
}

TEST_CASE("rows of any length are padded with zeros to whole groups") {
  for (const size_t size : {1, 2, 31, 32, 33, 127, 129, 200}) {
    CAPTURE(size);
    for (const MatrixFormat& format : {i4(32), i4(128), u4(32), i8(32)}) {
      check_row(format, random_row(size, 3));
    }
  }
}

TEST_CASE("an i4 group that fits on a grid is kept exactly, whatever its extreme's sign") {
  for (const float sign : {1.0f, -1.0f}) {
    std::vector<float> row(32, 0.25f * sign);
    row[5] = 2.0f * sign;
    row[6] = -1.75f * sign;
    const StoredRow stored(i4(32), row.size());
    REQUIRE(quantize_row(i4(32), row, stored.sink()));
    CHECK(stored.weight(5) == row[5]);
    CHECK(stored.weight(6) == row[6]);
    CHECK(stored.weight(0) == row[0]);
    CHECK(stored.value(5) == -8);
  }
}

TEST_CASE("a group of zeros is stored as zeros") {
  for (const MatrixFormat& format : {i4(32), u4(32), i8(32)}) {
    const StoredRow stored(format, 64);
    REQUIRE(quantize_row(format, std::vector<float>(64, 0.0f), stored.sink()));
    for (size_t column = 0; column < 64; ++column) CHECK(stored.weight(column) == 0.0);
  }
}

TEST_CASE("weights too small for f16's scales become zero, not nonsense") {
  for (const MatrixFormat& format : {i4(32), u4(32), i8(32)}) {
    for (const float size : {1e-40f, 1e-12f, 1e-8f, 3e-7f}) {
      const std::vector<float> row = random_row(32, 5, size);
      const StoredRow stored(format, 32);
      REQUIRE(quantize_row(format, row, stored.sink()));
      for (size_t column = 0; column < 32; ++column) {
        CHECK(std::abs(stored.weight(column) - row[column]) <= 4 * size + 1e-7);
      }
    }
  }
}

TEST_CASE("zero points hold a range of one sign, too") {
  std::vector<float> row(32);
  for (size_t i = 0; i < 32; ++i) row[i] = 1.0f + static_cast<float>(i) / 31.0f;
  check_row(u4(32), row);
  for (float& weight : row) weight = -weight;
  check_row(u4(32), row);
}

TEST_CASE("f32 keeps every bit and f16 rounds to nearest") {
  const std::vector<float> row = {0.0f, -0.0f, 1.0f, 0.1f, -65504.0f, 1e-8f, 0x1.002p0f, 3e-6f};
  const MatrixFormat f32{.type = StoredType::kF32};
  const StoredRow exact(f32, row.size());
  REQUIRE(quantize_row(f32, row, exact.sink()));
  CHECK(std::memcmp(exact.values().data(), row.data(), row.size() * sizeof(float)) == 0);

  const MatrixFormat f16{.type = StoredType::kF16};
  const StoredRow half(f16, row.size());
  REQUIRE(quantize_row(f16, row, half.sink()));
  for (size_t i = 0; i < row.size(); ++i) {
    const auto bits = static_cast<uint16_t>(std::to_integer<int>(half.values()[2 * i]) |
                                            std::to_integer<int>(half.values()[2 * i + 1]) << 8);
    CHECK(bits == f32_to_f16(row[i]));
  }
}

TEST_CASE("a row with NaN, infinity or a weight that its type cannot hold is refused") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const auto accepts = [](const MatrixFormat& format, float weight) {
    std::vector<float> row = random_row(40, 1);
    row[37] = weight;
    const StoredRow stored(format, row.size());
    return quantize_row(format, row, stored.sink());
  };
  const MatrixFormat f16{.type = StoredType::kF16};
  for (const MatrixFormat& format : {i4(32), u4(32), i8(32), f16, {.type = StoredType::kF32}}) {
    CAPTURE(name_of(format.type));
    CHECK(accepts(format, 1.0f));
    for (const float weight : {kInfinity, -kInfinity, kNan}) CHECK(!accepts(format, weight));
  }
  constexpr float kLargest = std::numeric_limits<float>::max();
  CHECK(accepts({.type = StoredType::kF32}, kLargest));
  for (const MatrixFormat& format : {i4(32), u4(32), i8(32), f16}) {
    CHECK(!accepts(format, kLargest));
    CHECK(!accepts(format, -kLargest));
  }
  CHECK(accepts(f16, 65504.0f));
  CHECK(!accepts(f16, 65520.0f));
  CHECK(accepts(i4(32), 8 * 65504.0f));
  CHECK(!accepts(i4(32), 8 * 65536.0f));
}

TEST_CASE("a row's bytes count values, scales and zeros") {
  const RowBytes bytes = row_bytes(u4(32), 128);
  CHECK(bytes.values == 64);
  CHECK(bytes.scales == 8);
  CHECK(bytes.zeros == 4);
  CHECK(row_bytes({.type = StoredType::kF16}, 10).values == 20);
  CHECK(row_bytes({.type = StoredType::kF16}, 10).scales == 0);
}

}  // namespace
}  // namespace ovenbird
