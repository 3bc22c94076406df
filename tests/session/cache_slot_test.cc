// The cache's rows: what is laid out anew, copied and dropped stays what it was.
#include "session/cache_slot.h"

#include <algorithm>
#include <cmath>
#include <random>

#include <doctest/doctest.h>

#include "plan_bench.h"

namespace ovenbird {
namespace {

constexpr uint32_t kRowsMax = 40;

/// A slot, and the toy model to write and read its rows.
struct SlotBench {
  explicit SlotBench(CacheType type = CacheType::kF16)
      : manifest(
            toy_manifest({.context = 256, .past = kRowsMax, .short_past = 0, .cache_type = type})),
        model(manifest),
        slot(std::move(*CacheSlot::create(manifest, kRowsMax, Pages::kPrivate))) {}

  /// Appends tokens as a step of `width` rows puts them out, `padding` rows in front.
  void append(std::span<const int32_t> tokens, uint32_t padding) {
    const auto width = static_cast<uint32_t>(padding + tokens.size());
    const size_t bytes = size_t{ToyModel::kKvHeads} * (width + 1) * ToyModel::kHeadDim * 4;
    std::vector<std::vector<std::byte>> memory(2 * ToyModel::kLayers,
                                               std::vector<std::byte>(bytes));
    std::vector<std::byte*> present;
    for (auto& tensor : memory) present.push_back(tensor.data());
    for (uint32_t i = 0; i < tokens.size(); ++i) {
      model.write_row(present, width, padding + i, tokens[i], slot.rows() + i);
    }
    slot.append(present, width, padding, uint32_t(tokens.size()));
  }

  void check_holds(const Ids& tokens) const {
    REQUIRE(slot.rows() == tokens.size());
    for (uint32_t row = 0; row < slot.rows(); ++row) {
      const ToyRow read = model.read_row(slot.stack().tensors, slot.capacity(), row);
      CHECK(read.is_sound);
      CHECK(read.token == tokens[row]);
      CHECK(read.position == row);
    }
  }

  const Manifest manifest;
  const ToyModel model;
  CacheSlot slot;
};

TEST_CASE("rows stay the same whenever the cache is laid out for another past") {
  SlotBench bench;
  const Ids tokens = random_ids(13, 1);
  bench.slot.set_capacity(20);
  bench.append(tokens, 3);
  for (const uint32_t capacity : {20u, 21u, 40u, 13u, 14u, 39u, 26u, 13u, 40u}) {
    bench.slot.set_capacity(capacity);
    CHECK(bench.slot.capacity() == capacity);
    bench.check_holds(tokens);
  }
}

TEST_CASE("padding in front of a step's rows is not copied") {
  SlotBench bench;
  bench.slot.set_capacity(kRowsMax);
  bench.append(Ids{1, 2, 3}, 5);
  bench.append(Ids{4}, 0);
  bench.append(Ids{5, 6}, 30);
  bench.check_holds({1, 2, 3, 4, 5, 6});
}

TEST_CASE("a cache may be filled to its last row") {
  SlotBench bench;
  const Ids tokens = random_ids(kRowsMax, 2);
  bench.slot.set_capacity(kRowsMax);
  bench.append(tokens, 0);
  bench.check_holds(tokens);
}

TEST_CASE("the rows behind those that are dropped move up, and their keys turn with them") {
  for (const CacheType type : {CacheType::kF16, CacheType::kF32}) {
    SlotBench bench(type);
    Ids tokens = random_ids(30, 3);
    bench.slot.set_capacity(33);
    bench.append(tokens, 0);
    bench.slot.drop(4, 7);
    tokens.erase(tokens.begin() + 4, tokens.begin() + 11);
    bench.check_holds(tokens);
    bench.slot.drop(20, 3);
    tokens.erase(tokens.begin() + 20, tokens.end());
    bench.check_holds(tokens);
    bench.slot.drop(0, 20);
    bench.check_holds({});
  }
}

/// Appends `rows` rows of random floats to a cache of f32.
void append_random(CacheSlot& slot, uint32_t rows, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<std::vector<float>> tensors(
      2 * ToyModel::kLayers, std::vector<float>(ToyModel::kKvHeads * rows * ToyModel::kHeadDim));
  std::vector<std::byte*> present;
  for (std::vector<float>& tensor : tensors) {
    for (float& number : tensor) number = normal(random);
    present.push_back(reinterpret_cast<std::byte*>(tensor.data()));
  }
  slot.append(present, rows, 0, rows);
}

/// Row `row` of head 0 of a tensor.
std::vector<float> row_of(const CacheSlot& slot, size_t tensor, uint32_t row) {
  const auto* numbers = reinterpret_cast<const float*>(slot.stack().tensors[tensor]);
  const float* first = numbers + size_t{row} * ToyModel::kHeadDim;
  return {first, first + ToyModel::kHeadDim};
}

TEST_CASE("each layer's keys turn by its own rope, as far as it rotates them") {
  Manifest manifest = toy_manifest(
      {.context = 256, .past = kRowsMax, .short_past = 0, .cache_type = CacheType::kF32});
  manifest.model.rope_frequencies = {1.0, 0.5};  // of a head of 8: the last four stay
  manifest.model.local_rope_frequencies = {0.25, 0.125};
  for (const LayerRope second : {LayerRope::kLocal, LayerRope::kNone}) {
    manifest.model.layer_ropes = {LayerRope::kGlobal, second};
    CacheSlot slot = std::move(*CacheSlot::create(manifest, kRowsMax, Pages::kPrivate));
    slot.set_capacity(kRowsMax);
    std::mt19937 random(5);
    append_random(slot, 9, random);
    for (uint32_t layer = 0; layer < 2; ++layer) {
      const std::vector<float> key = row_of(slot, 2 * layer, 7);
      const std::vector<float> value = row_of(slot, 2 * layer + 1, 7);
      CacheSlot moved = std::move(*CacheSlot::create(manifest, kRowsMax, Pages::kPrivate));
      moved.set_capacity(kRowsMax);
      moved.copy_rows(slot, 9);
      moved.drop(2, 3);
      std::vector<float> wanted = key;
      for (size_t i = 0; i < 2; ++i) {
        const double frequency = layer == 0 ? manifest.model.rope_frequencies[i]
                                 : second == LayerRope::kLocal
                                     ? manifest.model.local_rope_frequencies[i]
                                     : 0.0;
        const double angle = -3 * frequency;
        wanted[i] = float(key[i] * std::cos(angle) - key[i + 2] * std::sin(angle));
        wanted[i + 2] = float(key[i + 2] * std::cos(angle) + key[i] * std::sin(angle));
      }
      const std::vector<float> seen = row_of(moved, 2 * layer, 4);
      for (size_t i = 0; i < seen.size(); ++i) CHECK(seen[i] == doctest::Approx(wanted[i]));
      CHECK(row_of(moved, 2 * layer + 1, 4) == value);
    }
  }
}

TEST_CASE("truncating and appending again replaces rows") {
  SlotBench bench;
  bench.slot.set_capacity(10);
  bench.append(Ids{1, 2, 3, 4, 5}, 0);
  bench.slot.truncate(2);
  bench.append(Ids{6, 7}, 1);
  bench.check_holds({1, 2, 6, 7});
  bench.slot.truncate(0);
  bench.check_holds({});
}

TEST_CASE("any sequence of operations leaves the rows that a list would have") {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    SlotBench bench(seed % 2 ? CacheType::kF16 : CacheType::kF32);
    Ids tokens;
    const auto up_to = [&](size_t most) { return uint32_t(random() % (most + 1)); };
    for (int operation = 0; operation < 40; ++operation) {
      const auto rows = uint32_t(tokens.size());
      bench.slot.set_capacity(rows + up_to(kRowsMax - rows));
      const Ids more = random_ids(up_to(bench.slot.capacity() - rows), seed + uint32_t(operation));
      bench.append(more, up_to(4));
      tokens = joined(tokens, more);
      if (up_to(2) == 0) {
        tokens.resize(up_to(tokens.size()));
        bench.slot.truncate(uint32_t(tokens.size()));
      }
      if (up_to(3) == 0) {  // rarely, as keys of f16 are rounded each time
        const uint32_t first = up_to(tokens.size());
        const uint32_t count = up_to(tokens.size() - first);
        bench.slot.drop(first, count);
        tokens.erase(tokens.begin() + first, tokens.begin() + first + count);
      }
      bench.check_holds(tokens);
    }
  }
}

TEST_CASE("a cache that no address space has room for is refused") {
  Manifest manifest = toy_manifest({});
  manifest.model.layers = 1024;
  manifest.model.kv_heads = 1 << 10;
  manifest.model.head_dim = 1 << 7;
  const Result<CacheSlot> slot = CacheSlot::create(manifest, 1 << 20, Pages::kPrivate);
  REQUIRE_FALSE(slot);
  CHECK(slot.error().code == Code::kIo);
}

}  // namespace
}  // namespace ovenbird
