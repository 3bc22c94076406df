// The cache's rows: what is laid out anew, copied and dropped stays what it was.
#include "session/cache_slot.h"

#include <algorithm>
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
