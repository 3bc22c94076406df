// GGUF blocks kept without loss: random blocks of every type come back as the checkpoint room
// reads them.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "bake/quantize.h"
#include "bake/row_reader.h"
#include "base/float16.h"

namespace ovenbird {
namespace {

constexpr ElementType kBlockTypes[] = {ElementType::kQ4_0, ElementType::kQ4_1, ElementType::kQ5_0,
                                       ElementType::kQ5_1, ElementType::kQ8_0, ElementType::kQ4_K,
                                       ElementType::kQ5_K, ElementType::kQ6_K};

/// Where a block has its f16 numbers.
std::vector<size_t> halves_of(ElementType type) {
  switch (type) {
    case ElementType::kQ4_1:
    case ElementType::kQ5_1:
    case ElementType::kQ4_K:
    case ElementType::kQ5_K:
      return {0, 2};
    case ElementType::kQ6_K:
      return {208};
    default:
      return {0};
  }
}

using Halves = std::array<float, 2>;

std::vector<std::byte> random_blocks(ElementType type, size_t count, std::mt19937& random,
                                     const auto& next_halves) {
  const BlockLayout layout = block_layout(type);
  std::vector<std::byte> blocks(count * layout.bytes);
  for (std::byte& byte : blocks) byte = static_cast<std::byte>(random());
  for (size_t block = 0; block < count; ++block) {
    const Halves halves = next_halves();
    size_t which = 0;
    for (const size_t at : halves_of(type)) {
      const uint16_t bits = f32_to_f16(halves[which++]);
      std::memcpy(&blocks[block * layout.bytes + at], &bits, sizeof bits);
    }
  }
  return blocks;
}

std::vector<float> read_back(ElementType type, const std::vector<std::byte>& blocks) {
  std::vector<float> weights(blocks.size() / block_layout(type).bytes *
                             block_layout(type).elements);
  dequantize(type, blocks, weights);
  return weights;
}

/// The largest difference between the blocks' weights and the kept ones, as a share of the largest
/// number that takes part in computing them.
double loss(ElementType type, const std::vector<std::byte>& blocks) {
  const std::vector<float> weights = read_back(type, blocks);
  const MatrixFormat format = lossless_format(type);
  const StoredRow kept(format, weights.size());
  REQUIRE(keep_row(type, blocks, weights, kept.sink()));
  double worst = 0;
  for (size_t column = 0; column < weights.size(); ++column) {
    const size_t group = column / format.group;
    const double part = std::max(std::abs(kept.zero(group) * kept.scale(group)),
                                 std::abs(kept.value(column) * kept.scale(group)));
    const double apart = std::abs(double(kept.weight_f32(column)) - weights[column]);
    worst = std::max(worst, part == 0 ? apart : apart / part);
  }
  return worst;
}

bool has_minimum(ElementType type) { return lossless_format(type).has_zeros; }

TEST_CASE("kept blocks give the same weights: bit for bit, or to f32 rounding where minima are") {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (const ElementType type : kBlockTypes) {
    CAPTURE(name_of(type));
    const auto blocks = random_blocks(type, 200, random, [&] {
      return Halves{0.01f * normal(random), 0.01f * normal(random)};
    });
    CHECK(loss(type, blocks) <= (has_minimum(type) ? 4e-7 : 0.0));
  }
}

TEST_CASE("extreme scales and minima are kept as well") {
  std::mt19937 random(2);
  constexpr float kSmallest = 0x1p-24f;
  constexpr float kNumbers[] = {0.0f,  kSmallest, -kSmallest, 0x1p-14f, 1e-3f,
                                -1.0f, 60000.0f,  -60000.0f,  65504.0f};
  for (const ElementType type : kBlockTypes) {
    CAPTURE(name_of(type));
    for (const float scale : kNumbers) {
      for (const float minimum : kNumbers) {
        CAPTURE(scale);
        CAPTURE(minimum);
        const auto blocks = random_blocks(type, 8, random, [&] { return Halves{scale, minimum}; });
        CHECK(loss(type, blocks) <= (has_minimum(type) ? 4e-7 : 0.0));
      }
    }
  }
}

TEST_CASE("minima just large enough to swallow their scales' steps do no harm") {
  std::mt19937 random(3);
  for (const ElementType type : {ElementType::kQ4_1, ElementType::kQ5_1}) {
    // Steps from 1/64 to 4 times what f32 resolves beside the minimum.
    for (float step = 0x1p-30f; step <= 0x1p-22f; step *= 1.25f) {
      const float minimum = step < 0x1p-24f ? 1.0f : 2.0f;
      CAPTURE(step);
      const auto blocks = random_blocks(type, 16, random, [&] {
        return Halves{step * 0x1p9f, minimum * 0x1p9f};
      });
      CHECK(loss(type, blocks) <= 4e-7);
    }
  }
}

TEST_CASE("a block of scale 0 is a constant, its minimum") {
  std::mt19937 random(4);
  for (const ElementType type : {ElementType::kQ4_1, ElementType::kQ5_1}) {
    const auto blocks = random_blocks(type, 4, random, [] { return Halves{0.0f, -0.375f}; });
    const StoredRow kept(lossless_format(type), 128);
    REQUIRE(keep_row(type, blocks, read_back(type, blocks), kept.sink()));
    for (size_t column = 0; column < 128; ++column) CHECK(kept.weight(column) == -0.375);
  }
}

TEST_CASE("a scale that is not finite is refused") {
  std::mt19937 random(5);
  for (const ElementType type : kBlockTypes) {
    for (const float bad : {INFINITY, -INFINITY, NAN}) {
      for (size_t which = 0; which < halves_of(type).size(); ++which) {
        Halves halves = {1.0f, 1.0f};
        halves[which] = bad;
        const auto blocks = random_blocks(type, 1, random, [&] { return halves; });
        const std::vector<float> weights = read_back(type, blocks);
        const StoredRow kept(lossless_format(type), weights.size());
        CHECK(!keep_row(type, blocks, weights, kept.sink()));
      }
    }
  }
}

TEST_CASE("plain types stay what they are, or become f32") {
  CHECK(lossless_format(ElementType::kF32).type == StoredType::kF32);
  CHECK(lossless_format(ElementType::kF16).type == StoredType::kF16);
  CHECK(lossless_format(ElementType::kBF16).type == StoredType::kF32);
  const std::vector<float> row = {1.5f, -0.25f, 0x1p-24f, 65504.0f};
  const StoredRow kept(lossless_format(ElementType::kF32), row.size());
  REQUIRE(keep_row(ElementType::kF32, std::as_bytes(std::span(row)), row, kept.sink()));
  CHECK(std::memcmp(kept.values().data(), row.data(), 16) == 0);
}

}  // namespace
}  // namespace ovenbird
