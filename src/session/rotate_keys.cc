// Both kinds of cache are turned a few pairs at a time, in float.
#include "session/rotate_keys.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "session/float16_lanes.h"

namespace ovenbird {
namespace {

float load(float element) { return element; }
float load(uint16_t element) { return f16_lane_to_f32(element); }
void store(float value, float& element) { element = value; }
void store(float value, uint16_t& element) { element = f32_lane_to_f16(value); }

}  // namespace

KeyRotation::KeyRotation(std::span<const double> inverse_frequencies, int64_t position_difference)
    : pairs_(inverse_frequencies.size()), turns_((pairs_ + kPairs - 1) / kPairs) {
  for (Turn& turn : turns_) {
    turn.cosine.fill(1);
    turn.sine.fill(0);
  }
  for (size_t i = 0; i < pairs_; ++i) {
    const double angle = static_cast<double>(position_difference) * inverse_frequencies[i];
    Turn& turn = turns_[i / kPairs];
    turn.cosine[i % kPairs] = static_cast<float>(std::cos(angle));
    turn.sine[i % kPairs] = static_cast<float>(std::sin(angle));
  }
}

void KeyRotation::apply(std::span<float> keys, const KeyRows& which) const {
  turn_rows(keys, which);
}

void KeyRotation::apply(std::span<uint16_t> keys, const KeyRows& which) const {
  turn_rows(keys, which);
}

template <typename Element>
void KeyRotation::turn_rows(std::span<Element> keys, const KeyRows& which) const {
  OVENBIRD_CHECK(which.head_dim >= 2 * pairs_);
  OVENBIRD_CHECK(keys.size() == which.kv_heads * which.past * which.head_dim);
  OVENBIRD_CHECK(which.first_row <= which.past && which.rows <= which.past - which.first_row);
  for (size_t head = 0; head < which.kv_heads; ++head) {
    Element* key = keys.data() + (head * which.past + which.first_row) * which.head_dim;
    for (size_t row = 0; row < which.rows; ++row, key += which.head_dim) {
      Element* lower = key;
      Element* upper = key + pairs_;
      size_t left = pairs_;
      for (const Turn& turn : turns_) {
        if (left < kPairs) {
          turn_last_pairs(turn, left, lower, upper);
          break;
        }
        turn_pairs(turn, lower, upper);
        lower += kPairs;
        upper += kPairs;
        left -= kPairs;
      }
    }
  }
}

template <typename Element>
void KeyRotation::turn_pairs(const Turn& turn, Element* lower, Element* upper) {
  // One simple loop for each step, over arrays of their own: that is what becomes vector code.
  float low[kPairs];
  float high[kPairs];
  for (size_t i = 0; i < kPairs; ++i) low[i] = load(lower[i]);
  for (size_t i = 0; i < kPairs; ++i) high[i] = load(upper[i]);
  float low_turned[kPairs];
  float high_turned[kPairs];
  for (size_t i = 0; i < kPairs; ++i) {
    low_turned[i] = low[i] * turn.cosine[i] - high[i] * turn.sine[i];
    high_turned[i] = high[i] * turn.cosine[i] + low[i] * turn.sine[i];
  }
  for (size_t i = 0; i < kPairs; ++i) store(low_turned[i], lower[i]);
  for (size_t i = 0; i < kPairs; ++i) store(high_turned[i], upper[i]);
}

template <typename Element>
void KeyRotation::turn_last_pairs(const Turn& turn, size_t count, Element* lower, Element* upper) {
  std::array<Element, kPairs> low = {};
  std::array<Element, kPairs> high = {};
  std::copy_n(lower, count, low.begin());
  std::copy_n(upper, count, high.begin());
  turn_pairs(turn, low.data(), high.data());
  std::copy_n(low.begin(), count, lower);
  std::copy_n(high.begin(), count, upper);
}

}  // namespace ovenbird
