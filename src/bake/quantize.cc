// Rounding rows of weights to 4, 8, 16 and 32 bits.
#include "bake/quantize.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "bake/nf4.h"
#include "base/check.h"
#include "base/float16.h"

namespace ovenbird {
namespace {

float inverse(float scale) { return scale == 0.0f ? 0.0f : 1.0f / scale; }

int32_t round_to(float value, int32_t lowest, int32_t highest) {
  return std::clamp(static_cast<int32_t>(std::lrintf(value)), lowest, highest);
}

// The search for a scale is nearly all of a bake's work: loops over lanes, so that they become
// vector code, for the processor that is there. Products and sums are not fused
// (-ffp-contract=off), so all clones find the same scales.
#define OVENBIRD_WIDEST __attribute__((target_clones("avx512f", "avx2", "default")))
constexpr size_t kLanes = 16;

/// The whole number in [lowest, highest] nearest to `value`, ties to the even one. Numbers beyond
/// either end, however large, are cut off to it.
inline float nearest_whole(float value, int32_t lowest, int32_t highest) {
  // Of a number near 3 * 2^22 the lowest bits of the mantissa count whole numbers, and as integers,
  // which vector code compares in one instruction, floats above it lie in the same order.
  constexpr float kRounder = 0x1.8p23f;
  constexpr auto kZero = std::bit_cast<int32_t>(kRounder);
  const auto bits = std::bit_cast<int32_t>(value + kRounder);
  const int32_t kept = std::min(std::max(bits, kZero + lowest), kZero + highest);
  return std::bit_cast<float>(kept) - kRounder;
}

inline float nearest_i4(float value) { return nearest_whole(value, -8, 7); }

inline float i4_loss_of(float weight, float factor, float scale) {
  const float error = nearest_i4(weight * factor) * scale - weight;
  return std::fabs(weight) * (error * error);
}

/// The lanes' sum, by halves: vector code, where one after another would wait for each addition.
inline float sum_of(float (&lanes)[kLanes]) {
  for (size_t half = kLanes / 2; half > 0; half /= 2) {
    for (size_t lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

/// Squared errors of a group under a scale, each weighted by the size of its weight.
OVENBIRD_WIDEST float i4_loss(const float* group, size_t count, float scale) {
  const float factor = scale == 0.0f ? 0.0f : 1.0f / scale;
  float lanes[kLanes] = {};
  const size_t whole = count / kLanes * kLanes;
  for (size_t first = 0; first < whole; first += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] += i4_loss_of(group[first + lane], factor, scale);
    }
  }
  float loss = sum_of(lanes);
  for (size_t i = whole; i < count; ++i) loss += i4_loss_of(group[i], factor, scale);
  return loss;
}

/// The largest magnitude of a group; 0 for an empty one.
OVENBIRD_WIDEST float magnitude_of(const float* group, size_t count) {
  float lanes[kLanes] = {};
  const size_t whole = count / kLanes * kLanes;
  for (size_t first = 0; first < whole; first += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] = std::max(lanes[lane], std::fabs(group[first + lane]));
    }
  }
  float largest = 0.0f;
  for (const float lane : lanes) largest = std::max(largest, lane);
  for (size_t i = whole; i < count; ++i) largest = std::max(largest, std::fabs(group[i]));
  return largest;
}

/// The first weight of largest magnitude, with its sign; 0 for an empty group.
float extreme_of(std::span<const float> group) {
  const float largest = magnitude_of(group.data(), group.size());
  const auto first = std::find_if(group.begin(), group.end(),
                                  [&](float weight) { return std::fabs(weight) == largest; });
  return first == group.end() ? 0.0f : *first;
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

/// Whether no exponent is all ones, as those of infinities and NaN are.
OVENBIRD_WIDEST bool are_finite(const float* numbers, size_t count) {
  uint32_t largest = 0;
  for (size_t i = 0; i < count; ++i) {
    largest = std::max(largest, std::bit_cast<uint32_t>(numbers[i]) & 0x7fffffff);
  }
  return largest < 0x7f800000;
}

/// The scale of the least loss, of those that put the group's extreme near -8 or near 7, or just
/// beyond. Infinity if f16 has none that is large enough.
///
/// A search around the extreme, with errors weighted by the weights themselves, is what ggml's
/// quantizers do without calibration data (make_qx_quants). Which weights and scales to take was
/// measured on SmolLM2-135M, 1,943 tokens of the GPL: perplexity (19.52 in f32) and divergence from
/// f32. In groups of 128: extreme / -8 alone 25.66, 0.437; search with errors unweighted 27.8,
/// 0.497; weighted by |w| 24.2, 0.390; by w^2 24.6, 0.417. Whole rows: 34.1, 0.749 and 34.4, 0.724.
float best_i4_scale(std::span<const float> group) {
  // Beside -8. Up to 7, where nothing is cut off, the other sign gives the same numbers.
  constexpr float kEnds[] = {-6.0f, -6.5f, -7.0f, -7.5f, 7.5f, 8.0f, -8.5f, 8.5f, -9.0f, 9.0f};
  const float extreme = extreme_of(group);
  float best = as_f16(extreme / -8.0f);
  if (!std::isfinite(best)) return best;
  float least = i4_loss(group.data(), group.size(), best);
  for (const float end : kEnds) {
    const float scale = as_f16(extreme / end);
    const float loss = i4_loss(group.data(), group.size(), scale);
    if (std::isfinite(scale) && loss < least) {
      best = scale;
      least = loss;
    }
  }
  return best;
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
  const float scale = as_f16(std::fabs(extreme_of(group)) / 127.0f);
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

bool all_finite(std::span<const float> row) { return are_finite(row.data(), row.size()); }

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
