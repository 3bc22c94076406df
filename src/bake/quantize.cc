// Rounding rows of weights to 4, 8, 16 and 32 bits.
#include "bake/quantize.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "bake/nf4.h"
#include "bake/vector_code.h"
#include "base/check.h"
#include "base/float16.h"

namespace ovenbird {
namespace {

float inverse(float scale) { return scale == 0.0f ? 0.0f : 1.0f / scale; }

int32_t round_to(float value, int32_t lowest, int32_t highest) {
  return std::clamp(static_cast<int32_t>(std::lrintf(value)), lowest, highest);
}

// The search for a scale is most of a bake's arithmetic: loops over lanes, so that they become
// vector code, for the processor that is there. Products and sums are not fused
// (-ffp-contract=off), so all clones find the same scales. Clones for processors ("arch=haswell")
// instead of features make a bake's processor time half as long again.
#define OVENBIRD_WIDEST OVENBIRD_CLONES("avx512f", "avx2")
constexpr size_t kLanes = 16;

/// The nearest whole number, of a number below 2^22.
inline float rounded(float value) { return (value + kRounder) - kRounder; }

/// The whole number in [lowest, highest] nearest to `value`, ties to the even one. Numbers beyond
/// either end, however large, are cut off to it.
inline float nearest_whole(float value, int32_t lowest, int32_t highest) {
  // As integers, which vector code compares in one instruction, floats lie in the same order.
  constexpr auto kZero = std::bit_cast<int32_t>(kRounder);
  const auto bits = std::bit_cast<int32_t>(value + kRounder);
  const int32_t kept = std::min(std::max(bits, kZero + lowest), kZero + highest);
  return std::bit_cast<float>(kept) - kRounder;
}

inline float nearest_i4(float value) { return nearest_whole(value, -8, 7); }

/// The largest magnitude of `count` finite numbers; 0 for none. What is not finite is larger.
OVENBIRD_WIDEST float magnitude_of(const float* numbers, size_t count) {
  uint32_t largest = 0;  // without their signs, floats lie in the order of their bits
  for (size_t i = 0; i < count; ++i) {
    largest = std::max(largest, std::bit_cast<uint32_t>(numbers[i]) & 0x7fffffff);
  }
  return std::bit_cast<float>(largest);
}

OVENBIRD_WIDEST bool contains(const float* numbers, size_t count, float wanted) {
  uint32_t found = 0;
  for (size_t i = 0; i < count; ++i) found |= numbers[i] == wanted ? 1 : 0;
  return found != 0;
}

/// The weight of largest magnitude, with its sign, positive if both are there; 0 for no weights.
float extreme_of(std::span<const float> group) {
  const float largest = magnitude_of(group.data(), group.size());
  return contains(group.data(), group.size(), largest) ? largest : -largest;
}

/// Rounds a group under a scale into nibbles, the first of a pair in the lower half.
OVENBIRD_WIDEST void pack_i4(const float* group, size_t count, float factor, uint8_t* pairs) {
  for (size_t pair = 0; pair < count / 2; ++pair) {
    const auto low = static_cast<int32_t>(nearest_i4(group[2 * pair] * factor));
    const auto high = static_cast<int32_t>(nearest_i4(group[2 * pair + 1] * factor));
    pairs[pair] = static_cast<uint8_t>((low & 15) | (high & 15) << 4);
  }
  if (count % 2 == 0) return;
  pairs[count / 2] =
      static_cast<uint8_t>(static_cast<int32_t>(nearest_i4(group[count - 1] * factor)) & 15);
}

/// Rounds a group under a scale into bytes of [-127, 127].
OVENBIRD_WIDEST void pack_i8(const float* group, size_t count, float factor, int8_t* values) {
  for (size_t i = 0; i < count; ++i) {
    values[i] =
        static_cast<int8_t>(static_cast<int32_t>(nearest_whole(group[i] * factor, -127, 127)));
  }
}

// The search for the scale of an i4 group.

// Where scales put the group's extreme. The first ones cut something off; from -7 on the scale of
// the other sign gives the same numbers.
constexpr float kEnds[] = {-9.0f, -8.5f, -8.0f, -7.5f, -7.0f, -6.5f, -6.0f};
constexpr size_t kEndCount = std::size(kEnds);
constexpr size_t kCuttingCount = 4;

/// Scales, and what a group loses under each and its negative: the sum of |v| (n - v)^2 over its
/// weights v and their numbers n, both in steps of the scale.
struct Candidates {
  float scales[kEndCount];
  float factors[kEndCount];                   // 1 / scale
  float losses[kEndCount];                    // with n the nearest whole number
  float cut_losses[kEndCount] = {};           // what it adds that n ends at -8 and 7
  float inverted_cut_losses[kEndCount] = {};  // the same under the negative scale: at -7 and 8
};

inline float loss_of(float value, float number) {
  const float error = number - value;
  return std::fabs(value) * (error * error);
}

inline float rounding_loss_of(float value) { return loss_of(value, rounded(value)); }

/// The lanes' sum, by halves: vector code, where one after another would wait for each addition.
inline float sum_of(float (&lanes)[kLanes]) {
  for (size_t half = kLanes / 2; half > 0; half /= 2) {
    for (size_t lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

/// Most of the search's time goes here.
inline float rounding_loss(const float* group, size_t count, float factor) {
  float lanes[kLanes] = {};
  const size_t whole = count / kLanes * kLanes;
  for (size_t first = 0; first < whole; first += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] += rounding_loss_of(group[first + lane] * factor);
    }
  }
  float loss = sum_of(lanes);
  for (size_t i = whole; i < count; ++i) loss += rounding_loss_of(group[i] * factor);
  return loss;
}

OVENBIRD_WIDEST void find_losses(const float* group, size_t count, Candidates& candidates) {
  for (size_t end = 0; end < kEndCount; ++end) {
    candidates.losses[end] = rounding_loss(group, count, candidates.factors[end]);
  }
}

/// One bit for each of up to 32 weights, the first lowest: whether it is `least` or more in size.
OVENBIRD_WIDEST uint32_t large_ones(const float* weights, size_t count, float least) {
  uint32_t bits = 0;
  for (size_t i = 0; i < count; ++i) bits |= (std::fabs(weights[i]) >= least ? 1u : 0u) << i;
  return bits;
}

OVENBIRD_WIDEST void add_cut_losses(float weight, Candidates& candidates) {
  for (size_t end = 0; end < kCuttingCount; ++end) {
    const float value = weight * candidates.factors[end];
    const float loss = rounding_loss_of(value);
    candidates.cut_losses[end] += loss_of(value, nearest_whole(value, -8, 7)) - loss;
    candidates.inverted_cut_losses[end] += loss_of(value, nearest_whole(value, -7, 8)) - loss;
  }
}

/// Only few weights are so large that the smallest scale rounds them to more than 7 steps.
void find_cut_losses(std::span<const float> group, Candidates& candidates) {
  constexpr size_t kBits = 32;
  const float least = 7.4f * std::fabs(candidates.scales[0]);  // 7.5 less what was rounded
  for (size_t first = 0; first < group.size(); first += kBits) {
    const size_t count = std::min(kBits, group.size() - first);
    uint32_t large = large_ones(&group[first], count, least);
    for (; large != 0; large &= large - 1) {
      add_cut_losses(group[first + std::countr_zero(large)], candidates);
    }
  }
}

float best_of(const Candidates& candidates) {
  float best = candidates.scales[0];
  float least = std::numeric_limits<float>::infinity();
  const auto consider = [&](float scale, float loss_in_cubes) {
    const float size = std::fabs(scale);
    const float loss = loss_in_cubes * size * size * size;
    if (size == 0.0f || !std::isfinite(size) || loss >= least) return;
    least = loss;
    best = scale;
  };
  const auto& [scales, factors, losses, cut_losses, inverted_cut_losses] = candidates;
  for (size_t end = 0; end < kEndCount; ++end) {
    consider(scales[end], losses[end] + cut_losses[end]);
    if (end < kCuttingCount) consider(-scales[end], losses[end] + inverted_cut_losses[end]);
  }
  return best;
}

/// The scale of the least loss, of those that put the group's extreme near -8 or near 7, or just
/// beyond; losses are squared errors, each weighted by the size of its weight. Infinity if f16 has
/// none that holds the extreme.
///
/// A search around the extreme, with errors weighted by the weights themselves, is what ggml's
/// quantizers do without calibration data (make_qx_quants). Which weights and scales to take was
/// measured on SmolLM2-135M, 1,943 tokens of the GPL: perplexity (19.52 in f32) and divergence from
/// f32. In groups of 128: extreme / -8 alone 25.66, 0.437; search with errors unweighted 27.8,
/// 0.497; weighted by |w| 24.2, 0.390; by w^2 24.6, 0.417. Whole rows: 34.1, 0.749 and 34.4, 0.724.
float best_i4_scale(std::span<const float> group) {
  const float extreme = extreme_of(group);
  const float holding = as_f16(extreme / -8.0f);
  if (!std::isfinite(holding)) return holding;
  Candidates candidates;
  for (size_t end = 0; end < kEndCount; ++end) {
    candidates.scales[end] = as_f16(extreme / kEnds[end]);
    candidates.factors[end] = inverse(candidates.scales[end]);
  }
  find_losses(group.data(), group.size(), candidates);
  find_cut_losses(group, candidates);
  return best_of(candidates);
}

// Each rounds one group and returns false if no f16 scale is large enough.

bool quantize_i4(std::span<const float> group, uint64_t first, uint64_t index,
                 const RowSink& sink) {
  const float scale = best_i4_scale(group);
  if (!std::isfinite(scale)) return false;
  put_f16(sink.scales, index, scale);
  // Groups are an even number of weights, so `first` is even too.
  pack_i4(group.data(), group.size(), inverse(scale),
          reinterpret_cast<uint8_t*>(&sink.values[first / 2]));
  return true;
}

bool quantize_u4(std::span<const float> group, uint64_t first, uint64_t index,
                 const RowSink& sink) {
  const auto [least, most] = std::minmax_element(group.begin(), group.end());
  const float low = std::min(*least, 0.0f);
  const float high = std::max(*most, 0.0f);
  const float scale = as_f16(high / 15.0f - low / 15.0f);
  if (!std::isfinite(scale)) return false;
  const int32_t zero = round_to(-low * inverse(scale), 0, 15);
  put_f16(sink.scales, index, scale);
  sink.zeros[index] = static_cast<std::byte>(zero);
  for (size_t i = 0; i < group.size(); ++i) {
    const auto value = std::lrintf(group[i] * inverse(scale)) + zero;
    put_nibble(sink.values, first + i, static_cast<uint32_t>(std::clamp(value, 0L, 15L)));
  }
  return true;
}

/// The group's largest weight becomes -1 or 1.
bool quantize_nf4(std::span<const float> group, uint64_t first, uint64_t index,
                  const RowSink& sink) {
  const float scale = as_f16(extreme_of(group));
  if (!std::isfinite(scale)) return false;
  put_f16(sink.scales, index, scale);
  for (size_t i = 0; i < group.size(); ++i) {
    put_nibble(sink.values, first + i, nearest_nf4(group[i] * inverse(scale)));
  }
  return true;
}

bool quantize_i8(std::span<const float> group, uint64_t first, uint64_t index,
                 const RowSink& sink) {
  const float scale = as_f16(magnitude_of(group.data(), group.size()) / 127.0f);
  if (!std::isfinite(scale)) return false;
  put_f16(sink.scales, index, scale);
  pack_i8(group.data(), group.size(), inverse(scale),
          reinterpret_cast<int8_t*>(&sink.values[first]));
  return true;
}

bool quantize_group(StoredType type, std::span<const float> group, uint64_t first, uint64_t index,
                    const RowSink& sink) {
  switch (type) {
    case StoredType::kI4:
      return quantize_i4(group, first, index, sink);
    case StoredType::kU4:
      return quantize_u4(group, first, index, sink);
    case StoredType::kNf4:
      return quantize_nf4(group, first, index, sink);
    case StoredType::kI8:
      return quantize_i8(group, first, index, sink);
    default:
      OVENBIRD_CHECK(false && "a type that is never quantized to");
      return false;
  }
}

bool to_f16(std::span<const float> row, const RowSink& sink) {
  for (size_t i = 0; i < row.size(); ++i) {
    if (!std::isfinite(as_f16(row[i]))) return false;
    put_f16(sink.values, i, row[i]);
  }
  return true;
}

}  // namespace

void put_nibble(std::span<std::byte> values, uint64_t index, uint32_t nibble) {
  std::byte& pair = values[index / 2];
  const auto bits = static_cast<std::byte>(nibble & 15);
  pair = index % 2 == 0 ? (pair & std::byte{0xF0}) | bits : (pair & std::byte{0x0F}) | bits << 4;
}

void put_f16(std::span<std::byte> numbers, uint64_t index, float value) {
  const uint16_t bits = f32_to_f16(value);
  std::memcpy(&numbers[index * sizeof bits], &bits, sizeof bits);
}

bool all_finite(std::span<const float> row) {
  return std::isfinite(magnitude_of(row.data(), row.size()));
}

float as_f16(float value) { return f16_to_f32(f32_to_f16(value)); }

RowBytes row_bytes(const MatrixFormat& format, uint64_t padded_columns) {
  const uint64_t groups = format.group ? padded_columns / format.group : 0;
  return {.values = padded_columns * bits_of(format.type) / 8,
          .scales = groups * bits_of(format.scale_type) / 8,
          .zeros = format.has_zeros ? groups * bits_of(format.zero_type) / 8 : 0};
}

bool quantize_row(const MatrixFormat& format, std::span<const float> row, const RowSink& sink) {
  if (!all_finite(row)) return false;
  if (format.type == StoredType::kF32) {
    std::memcpy(sink.values.data(), row.data(), row.size_bytes());
    return true;
  }
  if (format.type == StoredType::kF16) return to_f16(row, sink);
  // What lies beyond the row's end is multiplied by zeros only; it just must not be left undefined.
  std::fill(sink.values.begin(), sink.values.end(), std::byte{0});
  for (uint64_t first = 0, index = 0; first < row.size(); first += format.group, ++index) {
    const auto group = row.subspan(first, std::min<uint64_t>(format.group, row.size() - first));
    if (!quantize_group(format.type, group, first, index, sink)) return false;
  }
  return true;
}

}  // namespace ovenbird
