// GGUF's blocks of 256 numbers to f32. Byte offsets of their fields:
//
//   Q4_K   d (f16) 0, m (f16) 2, group factors (12 bytes) 4, nibbles (128) 16
//   Q5_K   the same up to 16, fifth bits (32) 16, nibbles (128) 48
//          Eight groups of 32. Group g has a factor s and an offset factor o of six bits each:
//          number = (d * s) * q - (m * o).
//          Nibbles: each run of 32 bytes holds two groups, the even one in the low halves, the odd
//          one in the high halves. Fifth bits: bit g of byte j belongs to number j of group g.
//
//   Q6_K   low nibbles (128) 0, upper bit pairs (64) 128, factors (16 signed bytes) 192, d 208
//          Two halves of 128 numbers, each four runs of 32. Run r of a half takes the nibbles of
//          bytes 32 * (r % 2) + j of the half's 64, low half of the byte for r < 2, high half
//          otherwise, and bits 2r, 2r + 1 of byte j of the half's 32 bit pairs on top of them.
//          Each 16 numbers have a factor: number = (d * factor) * (q - 32).
#include "checkpoint/dequantize_k.h"

#include <cstdint>
#include <cstring>

#include "base/float16.h"

namespace ovenbird {
namespace {

constexpr int kGroups = 8;
constexpr int kGroup = 32;

float load_f16(const std::byte* from) {
  uint16_t bits;
  std::memcpy(&bits, from, sizeof(bits));
  return f16_to_f32(bits);
}

struct GroupFactors {
  uint32_t scale, offset;  // 0 to 63
};

/// Sixteen six-bit numbers in 12 bytes. Groups 0 to 3 lie plainly in the low six bits of bytes 0-3
/// (scales) and 4-7 (offsets); groups 4 to 7 have their low four bits in bytes 8-11 (scale below,
/// offset above) and their upper two in the top of the bytes of groups 0 to 3.
GroupFactors group_factors(const std::byte* packed, int group) {
  const auto at = [packed](int index) { return static_cast<uint32_t>(packed[index]); };
  if (group < 4) return {at(group) & 63, at(group + 4) & 63};
  return {(at(group + 4) & 15) | at(group - 4) >> 6 << 4, at(group + 4) >> 4 | at(group) >> 6 << 4};
}

/// `fifth` is null for Q4_K.
void dequantize_groups(const std::byte* block, const std::byte* fifth, const std::byte* nibbles,
                       float* out) {
  const float scale = load_f16(block);
  const float offset = load_f16(block + 2);
  for (int group = 0; group < kGroups; ++group) {
    const GroupFactors factors = group_factors(block + 4, group);
    const float group_scale = scale * static_cast<float>(factors.scale);
    const float group_offset = offset * static_cast<float>(factors.offset);
    const std::byte* run = nibbles + group / 2 * kGroup;
    for (int j = 0; j < kGroup; ++j) {
      const auto byte = static_cast<uint32_t>(run[j]);
      uint32_t code = group % 2 == 0 ? byte & 15 : byte >> 4;
      if (fifth != nullptr) code |= (static_cast<uint32_t>(fifth[j]) >> group & 1) << 4;
      out[group * kGroup + j] = group_scale * static_cast<float>(code) - group_offset;
    }
  }
}

}  // namespace

void dequantize_q4_k(const std::byte* block, float* out) {
  dequantize_groups(block, nullptr, block + 16, out);
}

void dequantize_q5_k(const std::byte* block, float* out) {
  dequantize_groups(block, block + 16, block + 48, out);
}

void dequantize_q6_k(const std::byte* block, float* out) {
  const float scale = load_f16(block + 208);
  for (int run = 0; run < 8; ++run) {
    const int half = run / 4;
    const int in_half = run % 4;
    const std::byte* nibbles = block + 64 * half + kGroup * (in_half % 2);
    const std::byte* pairs = block + 128 + kGroup * half;
    const std::byte* factors = block + 192 + 2 * run;
    for (int j = 0; j < kGroup; ++j) {
      const auto byte = static_cast<uint32_t>(nibbles[j]);
      const uint32_t low = in_half < 2 ? byte & 15 : byte >> 4;
      const uint32_t high = static_cast<uint32_t>(pairs[j]) >> (2 * in_half) & 3;
      const float run_scale = scale * static_cast<float>(static_cast<int8_t>(factors[j / 16]));
      out[run * kGroup + j] =
          run_scale * static_cast<float>(static_cast<int>(low | high << 4) - 32);
    }
  }
}

}  // namespace ovenbird
