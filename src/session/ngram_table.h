// Remembers for every n-gram of a token history where it stood last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ovenbird {

/// A map from the hash of an n-gram to the position of its newest occurrence; every operation is
/// O(1) on average, and can be undone. Open addressing, at most half full: 16 bytes a place, no
/// allocation but when it doubles.
class NgramTable {
 public:
  static constexpr uint32_t kNowhere = UINT32_MAX;

  NgramTable();

  /// Makes room for `ngrams` different ones.
  void reserve(size_t ngrams);

  /// Notes that the n-gram stands at `position`. Gives where it stood last before, or kNowhere.
  uint32_t exchange(uint64_t hash, uint32_t position);

  /// Undoes an exchange that gave `before`.
  void restore(uint64_t hash, uint32_t before);

 private:
  struct Entry {
    uint64_t hash = 0;
    uint32_t position = kNowhere;  // kNowhere = the place is free
  };

  size_t find(uint64_t hash) const;
  void remove(size_t place);
  void resize(size_t places);

  std::vector<Entry> entries_;  // a power of two
  size_t used_ = 0;
};

}  // namespace ovenbird
