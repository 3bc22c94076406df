// The tokens of a session, and how often each stands there: what the penalties are computed from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ovenbird {

/// A stack of token ids with counts beside it, so that drafted tokens can be pushed and taken back.
///
/// Every id is counted twice: in the whole history, and in the answer alone, which starts at the
/// last start_answer(). Push and pop are O(1) and allocate nothing within what reserve() was told.
/// Memory: 12 bytes for each entry of the vocabulary and 8 for each token. Not thread-safe.
class TokenCounts {
 public:
  /// `vocabulary_tokens`: how many ids there are, that is the length of a row of logits.
  explicit TokenCounts(uint32_t vocabulary_tokens);

  /// Makes room for a history of `tokens`.
  void reserve(size_t tokens);

  /// Adds `id` at the end. Ids from outside must be checked before: it must be in [0, vocabulary).
  void push(int32_t id);
  /// Takes the newest token back; there must be one.
  void pop();
  /// Takes tokens back until `tokens` are left; a history that is not longer stays as it is.
  void truncate(size_t tokens);
  /// Everything so far becomes prompt. Costs one look at each token of the answer before.
  void start_answer();

  /// How often `id` stands in prompt and answer together.
  uint32_t in_history(int32_t id) const { return entries_[id].in_history; }
  /// How often `id` stands in the answer.
  uint32_t in_answer(int32_t id) const { return entries_[id].in_answer; }
  /// Every id that stands in the history, once, in no particular order.
  std::span<const int32_t> distinct() const { return distinct_; }
  /// The history itself, oldest first. The next push ends its validity.
  std::span<const int32_t> tokens() const { return tokens_; }

  uint32_t vocabulary_tokens() const { return static_cast<uint32_t>(entries_.size()); }

 private:
  struct Entry {
    uint32_t in_history = 0;
    uint32_t in_answer = 0;
    uint32_t place = 0;  // index in distinct_; means something while in_history > 0
  };

  std::vector<Entry> entries_;  // [vocabulary]
  std::vector<int32_t> distinct_;
  std::vector<int32_t> tokens_;
  size_t answer_first_ = 0;  // index of the answer's first token in tokens_
};

}  // namespace ovenbird
