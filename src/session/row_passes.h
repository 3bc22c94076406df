// The three passes over a whole row of logits, block by block.
//
// A row has up to some 150,000 entries, and a token must not wait for it. The inner loops have a
// constant count and independent lanes, so that a compiler makes vector code of them at -O2.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace ovenbird {

inline constexpr size_t kBlockScores = 32;  // 48k entries are 1536 blocks: enough to sort out most
inline constexpr size_t kLanes = 8;         // two vectors of SSE, one of AVX

/// e^x for x <= 0, to 2e-7 of its value; exactly 0 for -inf and where the result is below 2e-38.
/// Needs no library call, so it is the same on every machine and can stand in a vector loop.
inline float exp_nonpositive(float x) {
  constexpr float kLog2E = 1.44269504f;
  constexpr float kLn2High = 0.693359375f;  // 9 bits, so that whole * kLn2High is exact
  constexpr float kLn2Low = -2.12194440e-4f;
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
  const float rounded = x * kLog2E + kRound;
  const float whole = rounded - kRound;
  const float rest = (x - whole * kLn2High) - whole * kLn2Low;
  // Taylor up to rest^7: |rest| <= ln(2) / 2, where the next term is 5e-9.
  float sum = 1.0f / 5040;
  sum = sum * rest + 1.0f / 720;
  sum = sum * rest + 1.0f / 120;
  sum = sum * rest + 1.0f / 24;
  sum = sum * rest + 1.0f / 6;
  sum = sum * rest + 0.5f;
  sum = sum * rest + 1.0f;
  sum = sum * rest + 1.0f;
  // The low bits of `rounded` are the whole number; moved up, they are an exponent.
  const float power = std::bit_cast<float>((std::bit_cast<uint32_t>(rounded) << 23) + 0x3f800000u);
  // Chosen by a mask: g++ makes a jump of a choice between floats, and no vector code of a jump.
  const uint32_t mask = x < -87.0f ? 0u : ~0u;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(sum * power) & mask);
}

struct BlockScan {
  float best;  // of the entries that are numbers
  bool has_nan;
};

/// Looks at one block of scores.
inline BlockScan scan_block(const float* scores) {
  float best[kLanes];
  uint32_t nan[kLanes] = {};
  for (size_t lane = 0; lane < kLanes; ++lane) {
    best[lane] = -std::numeric_limits<float>::infinity();
  }
  for (size_t i = 0; i < kBlockScores; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const float score = scores[i + lane];
      best[lane] = score > best[lane] ? score : best[lane];
      nan[lane] |= score != score ? 1u : 0u;
    }
  }
  BlockScan scan{best[0], nan[0] != 0};
  for (size_t lane = 1; lane < kLanes; ++lane) {
    if (best[lane] > scan.best) scan.best = best[lane];
    scan.has_nan = scan.has_nan || nan[lane] != 0;
  }
  return scan;
}

inline void divide_block(float* scores, float divisor) {
  for (size_t i = 0; i < kBlockScores; ++i) scores[i] /= divisor;
}

/// Writes e^(score - best) for one block and gives their sum.
inline float weigh_block(const float* scores, float best, float* weights) {
  float block[kBlockScores];
  for (size_t i = 0; i < kBlockScores; ++i) block[i] = exp_nonpositive(scores[i] - best);
  float sums[kLanes] = {};
  for (size_t i = 0; i < kBlockScores; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      weights[i + lane] = block[i + lane];
      sums[lane] += block[i + lane];
    }
  }
  float sum = 0;
  for (size_t lane = 0; lane < kLanes; ++lane) sum += sums[lane];
  return sum;
}

}  // namespace ovenbird
