// Turns cached keys to new positions, for a cache that drops rows in its middle and closes up.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ovenbird {

/// Which keys of one layer are turned: rows [first_row, first_row + rows) of every head of a cache
/// [kv_heads, past, head_dim].
struct KeyRows {
  size_t kv_heads = 0;
  size_t past = 0;      // rows that the cache has for each head
  size_t head_dim = 0;  // even
  size_t first_row = 0;
  size_t rows = 0;
};

/// Turns keys by a position difference = new position - old position, the same for all of them.
///
/// Rotary embedding as Hugging Face lays it out: element i of a key is a pair with element
/// i + pairs, and is turned by position * inverse_frequencies[i]; elements beyond the pairs stay as
/// they are. Turns add up, so a key of
/// position p turned by q - p is the key of position q. Angles are computed in double, once, for
/// all layers; the rotation is in float. A half-precision cache is rounded once for each turn, to
/// nearest, ties to even.
class KeyRotation {
 public:
  /// `inverse_frequencies` is [pairs], at most head_dim / 2, with whatever scaling the model has
  /// applied to it.
  KeyRotation(std::span<const double> inverse_frequencies, int64_t position_difference);

  /// Turns in place. `keys` is the whole [kv_heads, past, head_dim]: floats, or the bits of
  /// half-precision numbers. Allocates nothing; may be called by several threads on several layers.
  void apply(std::span<float> keys, const KeyRows& which) const;
  void apply(std::span<uint16_t> keys, const KeyRows& which) const;

 private:
  // Pairs that are turned together: a constant, so that g++ -O2 makes vector code of the loops.
  // Every common head_dim / 2 (32, 40, 48, 64, 128) is a multiple of it.
  static constexpr size_t kPairs = 8;

  struct Turn {
    std::array<float, kPairs> cosine;
    std::array<float, kPairs> sine;
  };

  template <typename Element>
  void turn_rows(std::span<Element> keys, const KeyRows& which) const;
  template <typename Element>
  static void turn_pairs(const Turn& turn, Element* lower, Element* upper);
  template <typename Element>
  static void turn_last_pairs(const Turn& turn, size_t count, Element* lower, Element* upper);

  size_t pairs_;
  std::vector<Turn> turns_;  // the last one is filled up with turns by nothing
};

}  // namespace ovenbird
