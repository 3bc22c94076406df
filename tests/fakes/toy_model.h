// A language model that can be checked to the last bit: its logits are a function of which tokens
// are seen at which positions, and of nothing else.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bundle/manifest.h"

namespace ovenbird {

/// What the toy's cache rows say when they are read back.
struct ToyRow {
  bool is_sound = false;  // every layer and head agrees, and the keys are turned by the position
  int32_t token = 0;
  uint32_t position = 0;
};

/// Keys hold (token, position) the way rotary embedding does: a vector of the token's, turned by
/// position * frequency; values hold the token. So rows that are mixed up, not turned or turned
/// twice are noticed. Two layers of three heads, each with vectors of its own.
class ToyModel {
 public:
  static constexpr uint32_t kLayers = 2;
  static constexpr uint32_t kKvHeads = 3;
  static constexpr uint32_t kHeadDim = 8;
  static constexpr uint32_t kPositionsMax = 8192;  // what the slowest turn can tell apart
  static constexpr uint32_t kVocabularyMax = 512;

  /// Model facts for a manifest; `context` <= kPositionsMax.
  static ModelFacts facts(uint32_t vocabulary, uint32_t context);

  explicit ToyModel(const Manifest& manifest);

  /// Logits after `tokens`, which stand at the positions 0, 1, ...; at least one. Pseudo-random,
  /// and mostly in favour of what followed the newest token the last time: the text repeats itself.
  /// `logits` is [vocabulary].
  void write_logits(std::span<const int32_t> tokens, std::span<float> logits) const;

  /// Writes a token's keys and values into row `row` of tensors [kv_heads, rows, head_dim].
  void write_row(std::span<std::byte* const> tensors, uint32_t rows, uint32_t row, int32_t token,
                 uint32_t position) const;

  /// Reads such a row back; keys may have been rounded a few times.
  ToyRow read_row(std::span<std::byte* const> tensors, uint32_t rows, uint32_t row) const;

  uint32_t vocabulary() const { return vocabulary_; }

 private:
  static constexpr uint32_t kPairs = kHeadDim / 2;

  struct Turn {
    float cosine;
    float sine;
  };

  Turn base(uint32_t head, int32_t token, uint32_t pair) const;
  Turn key(uint32_t head, int32_t token, uint32_t position, uint32_t pair) const;
  float value(uint32_t head, int32_t token, uint32_t index) const;
  uint32_t read_position(int32_t token, std::span<const float> key_row) const;
  bool holds(std::span<std::byte* const> tensors, size_t first_number, uint32_t kv_head,
             const ToyRow& row) const;
  float load(const std::byte* tensor, size_t index) const;
  void store(std::byte* tensor, size_t index, float number) const;

  uint32_t vocabulary_;
  CacheType type_;
  std::vector<Turn> base_;   // [layers * kv_heads, vocabulary, pairs]
  std::vector<Turn> turns_;  // [positions, pairs]
};

}  // namespace ovenbird
