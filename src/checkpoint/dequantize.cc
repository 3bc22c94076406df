// Stored rows to f32: the plain types and GGUF's blocks of 32. The blocks of 256 are in
// dequantize_k.cc.
//
// A block of 32 numbers begins with an f16 scale d. In the 4- and 5-bit types 16 bytes of nibbles
// close it: byte j holds the low four bits of number j in its low half and those of number j + 16
// in its high half. The byte offsets:
//   Q4_0   d 0, nibbles 2                              d * (q - 8)
//   Q4_1   d 0, offset m (f16) 2, nibbles 4            d * q + m
//   Q5_0   d 0, fifth bits (u32) 2, nibbles 6          d * (q - 16)    bit j belongs to number j
//   Q5_1   d 0, m 2, fifth bits (u32) 4, nibbles 8     d * q + m
//   Q8_0   d 0, 32 signed bytes 2                      d * q
#include <cstdint>
#include <cstring>

#include "base/check.h"
#include "base/float16.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/dequantize_k.h"

namespace ovenbird {
namespace {

constexpr size_t kBlock = 32;

template <typename Number>
Number load(const std::byte* from) {
  Number value;
  std::memcpy(&value, from, sizeof(Number));
  return value;
}

float load_f16(const std::byte* from) { return f16_to_f32(load<uint16_t>(from)); }

/// The 32 codes of `nibbles`, with the bits of `fifth` on top.
void unpack(const std::byte* nibbles, uint32_t fifth, uint8_t* codes) {
  for (size_t j = 0; j < kBlock / 2; ++j) {
    const auto byte = static_cast<uint32_t>(nibbles[j]);
    codes[j] = static_cast<uint8_t>((byte & 15) | (fifth >> j & 1) << 4);
    codes[j + 16] = static_cast<uint8_t>(byte >> 4 | (fifth >> (j + 16) & 1) << 4);
  }
}

void scale_centred(const uint8_t* codes, int zero, float scale, float* out) {
  for (size_t j = 0; j < kBlock; ++j) out[j] = static_cast<float>(codes[j] - zero) * scale;
}

void scale_offset(const uint8_t* codes, float scale, float offset, float* out) {
  for (size_t j = 0; j < kBlock; ++j) out[j] = static_cast<float>(codes[j]) * scale + offset;
}

void block_q4_0(const std::byte* block, float* out) {
  uint8_t codes[kBlock];
  unpack(block + 2, 0, codes);
  scale_centred(codes, 8, load_f16(block), out);
}

void block_q4_1(const std::byte* block, float* out) {
  uint8_t codes[kBlock];
  unpack(block + 4, 0, codes);
  scale_offset(codes, load_f16(block), load_f16(block + 2), out);
}

void block_q5_0(const std::byte* block, float* out) {
  uint8_t codes[kBlock];
  unpack(block + 6, load<uint32_t>(block + 2), codes);
  scale_centred(codes, 16, load_f16(block), out);
}

void block_q5_1(const std::byte* block, float* out) {
  uint8_t codes[kBlock];
  unpack(block + 8, load<uint32_t>(block + 4), codes);
  scale_offset(codes, load_f16(block), load_f16(block + 2), out);
}

void block_q8_0(const std::byte* block, float* out) {
  const float scale = load_f16(block);
  for (size_t j = 0; j < kBlock; ++j) {
    out[j] = static_cast<float>(static_cast<int8_t>(block[2 + j])) * scale;
  }
}

template <void (*kBlockOf)(const std::byte*, float*)>
void each_block(ElementType type, std::span<const std::byte> row, std::span<float> out) {
  const BlockLayout layout = block_layout(type);
  const std::byte* from = row.data();
  for (size_t first = 0; first < out.size(); first += layout.elements, from += layout.bytes) {
    kBlockOf(from, out.data() + first);
  }
}

}  // namespace

void dequantize(ElementType type, std::span<const std::byte> row, std::span<float> out) {
  const BlockLayout layout = block_layout(type);
  OVENBIRD_CHECK(out.size() % layout.elements == 0);
  OVENBIRD_CHECK(row.size() == out.size() / layout.elements * layout.bytes);
  switch (type) {
    case ElementType::kF32:
      if (!out.empty()) std::memcpy(out.data(), row.data(), row.size());
      return;
    case ElementType::kF16:
      for (size_t j = 0; j < out.size(); ++j) out[j] = load_f16(row.data() + 2 * j);
      return;
    case ElementType::kBF16:
      for (size_t j = 0; j < out.size(); ++j) {
        out[j] = bf16_to_f32(load<uint16_t>(row.data() + 2 * j));
      }
      return;
    case ElementType::kQ4_0:
      return each_block<block_q4_0>(type, row, out);
    case ElementType::kQ4_1:
      return each_block<block_q4_1>(type, row, out);
    case ElementType::kQ5_0:
      return each_block<block_q5_0>(type, row, out);
    case ElementType::kQ5_1:
      return each_block<block_q5_1>(type, row, out);
    case ElementType::kQ8_0:
      return each_block<block_q8_0>(type, row, out);
    case ElementType::kQ4_K:
      return each_block<dequantize_q4_k>(type, row, out);
    case ElementType::kQ5_K:
      return each_block<dequantize_q5_k>(type, row, out);
    case ElementType::kQ6_K:
      return each_block<dequantize_q6_k>(type, row, out);
  }
}

}  // namespace ovenbird
