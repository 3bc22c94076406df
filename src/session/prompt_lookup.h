// Drafts out of the history: what followed the last time the newest tokens stood there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "session/ngram_table.h"

namespace ovenbird {

struct PromptLookupOptions {
  /// Lengths of the n-grams that are looked for, longest first; 1 <= min <= max <= kNgramTokensMax.
  uint32_t ngram_tokens_min = 1;
  uint32_t ngram_tokens_max = 4;
  /// Time of a step that verifies a draft over that of a step of width 1. At 1 and below a draft
  /// costs nothing and is always made.
  double verify_cost_ratio = 1;
  /// Any number that whoever writes the prompt does not know: it keeps a prompt from being made up
  /// such that all its n-grams fall on the same place of the index.
  uint64_t salt = 0;
};

/// Prompt lookup decoding (Apoorv Saxena, 2023), for tasks whose answer repeats parts of the
/// prompt: the longest run of newest tokens that stood in the history before is found, at its most
/// recent place, and the tokens that followed there are the draft. Where they run into the
/// history's end, the draft goes on with its own tokens, so a loop is drafted as a loop.
///
/// A draft is worth its step when 1 + (tokens it gets accepted) >= verify_cost_ratio. That number
/// is expected to be what it was of late, for each n-gram length by itself. Drafts that are not
/// worth it are still made, silently, and compared with what is then said; so a text that begins to
/// repeat itself is noticed without paying for a trial. A draft is never shortened for its cost: a
/// step graph of fixed width takes the same time however many of its rows are used.
///
/// Cost: O(1) for each token pushed or taken back, whatever the history's length. Memory: 4 bytes
/// and 36 to 68 more for each n-gram length, per token. Allocates only to grow. Not thread-safe.
class PromptLookup {
 public:
  static constexpr uint32_t kNgramTokensMax = 8;

  explicit PromptLookup(const PromptLookupOptions& options);

  /// Makes room for a history of `tokens`.
  void reserve(size_t tokens);

  /// Adds tokens that the model did not say: a prompt, the next turn of a conversation.
  void append(std::span<const int32_t> tokens);

  /// Adds a token that the model said, and compares it with the draft made before it.
  void push(int32_t id);

  /// Adds an answer that a session said which is gone, and makes its drafts again, of at most so
  /// many tokens each, so that drafts are worth what they were worth to it. Not quite: near the end
  /// of a cache, and after a failed step, it may have made shorter ones.
  void replay(std::span<const int32_t> answer, size_t draft_tokens_max);

  /// Takes tokens back until `tokens` are left; a history that is not longer stays as it is.
  void truncate(size_t tokens);

  /// Writes up to draft.size() tokens that may come next; gives how many of them, 0 for none. The
  /// rest of `draft` is then garbage.
  size_t propose(std::span<int32_t> draft);

  /// How many tokens of a draft found by an n-gram of this length have been accepted of late.
  double expected_tokens(uint32_t ngram_tokens) const { return expected_[ngram_tokens]; }

  size_t size() const { return tokens_.size(); }  // tokens of history

 private:
  struct Match {
    uint32_t ngram_tokens;
    uint32_t follower;  // position of the token that followed
  };

  using Hashes = std::array<uint64_t, kNgramTokensMax + 1>;

  void add(int32_t id);
  void remove_newest();
  Hashes hash_newest() const;
  size_t longest_ngram() const;
  std::optional<Match> find_match() const;
  bool stood_before(uint32_t ngram_tokens, uint32_t last) const;
  void settle_draft(size_t accepted);

  PromptLookupOptions options_;
  uint32_t lengths_;  // how many n-gram lengths there are
  std::vector<int32_t> tokens_;
  std::vector<uint32_t>
      earlier_;  // [tokens, lengths]: where the n-gram that ends here ended before
  NgramTable newest_;

  // The draft that is being compared with what is said; empty = none.
  std::vector<int32_t> draft_;
  size_t draft_accepted_ = 0;
  uint32_t draft_ngram_tokens_ = 0;
  std::array<double, kNgramTokensMax + 1> expected_;  // [n-gram length]
};

}  // namespace ovenbird
