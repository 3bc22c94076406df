// The index of n-grams, the search in it, and the account of what drafts were worth.
#include "session/prompt_lookup.h"

#include <algorithm>

#include "base/check.h"

namespace ovenbird {
namespace {

// The newest draft's share in what is expected: the last few drafts decide.
constexpr double kNewestShare = 0.25;

/// Spreads every bit of `value` over all 64; the constants are splitmix64's.
uint64_t mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
  return value ^ (value >> 31);
}

}  // namespace

PromptLookup::PromptLookup(const PromptLookupOptions& options)
    : options_(options), lengths_(options.ngram_tokens_max - options.ngram_tokens_min + 1) {
  OVENBIRD_CHECK(options.ngram_tokens_min >= 1);
  OVENBIRD_CHECK(options.ngram_tokens_min <= options.ngram_tokens_max);
  OVENBIRD_CHECK(options.ngram_tokens_max <= kNgramTokensMax);
  // Nothing is known yet: just enough for one trial, and its refusal ends the trials.
  expected_.fill(options.verify_cost_ratio - 1);
}

void PromptLookup::reserve(size_t tokens) {
  tokens_.reserve(tokens);
  earlier_.reserve(tokens * lengths_);
  newest_.reserve(tokens * lengths_);
}

void PromptLookup::append(std::span<const int32_t> tokens) {
  draft_.clear();
  for (const int32_t id : tokens) add(id);
}

void PromptLookup::push(int32_t id) {
  if (!draft_.empty()) {
    const bool is_accepted = id == draft_[draft_accepted_];
    if (is_accepted) ++draft_accepted_;
    if (!is_accepted || draft_accepted_ == draft_.size()) settle_draft(draft_accepted_);
  }
  add(id);
}

void PromptLookup::replay(std::span<const int32_t> answer, size_t draft_tokens_max) {
  std::vector<int32_t> draft(draft_tokens_max);
  size_t drafted = 0;  // before an answer's first token there is no draft
  size_t said = 0;
  while (said < answer.size()) {
    if (said > 0) drafted = propose(draft);
    // As a step does: what the model says up to the first token that the draft has not.
    for (size_t accepted = 0; said < answer.size(); ++accepted) {
      const int32_t id = answer[said++];
      push(id);
      if (accepted == drafted || draft[accepted] != id) break;
    }
  }
}

void PromptLookup::truncate(size_t tokens) {
  if (tokens >= tokens_.size()) return;
  draft_.clear();
  while (tokens_.size() > tokens) remove_newest();
}

size_t PromptLookup::propose(std::span<int32_t> draft) {
  const std::optional<Match> match = find_match();
  if (!match || draft.empty()) return 0;
  const bool is_worth_it = expected_[match->ngram_tokens] >= options_.verify_cost_ratio - 1;
  // A silent draft is compared to its end before the next silent one.
  if (!is_worth_it && !draft_.empty()) return 0;
  for (size_t i = 0; i < draft.size(); ++i) {
    const size_t source = match->follower + i;
    draft[i] = source < tokens_.size() ? tokens_[source] : draft[source - tokens_.size()];
  }
  draft_.assign(draft.begin(), draft.end());
  draft_accepted_ = 0;
  draft_ngram_tokens_ = match->ngram_tokens;
  return is_worth_it ? draft.size() : 0;
}

void PromptLookup::settle_draft(size_t accepted) {
  double& expected = expected_[draft_ngram_tokens_];
  expected += kNewestShare * (static_cast<double>(accepted) - expected);
  draft_.clear();
}

void PromptLookup::add(int32_t id) {
  OVENBIRD_CHECK(tokens_.size() < NgramTable::kNowhere);
  const auto position = static_cast<uint32_t>(tokens_.size());
  tokens_.push_back(id);
  earlier_.resize(tokens_.size() * lengths_, NgramTable::kNowhere);
  const Hashes hashes = hash_newest();
  for (size_t n = options_.ngram_tokens_min; n <= longest_ngram(); ++n) {
    earlier_[position * size_t{lengths_} + n - options_.ngram_tokens_min] =
        newest_.exchange(hashes[n], position);
  }
}

void PromptLookup::remove_newest() {
  const size_t position = tokens_.size() - 1;
  const Hashes hashes = hash_newest();
  for (size_t n = options_.ngram_tokens_min; n <= longest_ngram(); ++n) {
    newest_.restore(hashes[n], earlier_[position * lengths_ + n - options_.ngram_tokens_min]);
  }
  tokens_.pop_back();
  earlier_.resize(position * lengths_);
}

size_t PromptLookup::longest_ngram() const {
  return std::min<size_t>(options_.ngram_tokens_max, tokens_.size());
}

PromptLookup::Hashes PromptLookup::hash_newest() const {
  Hashes hashes = {};
  uint64_t hash = options_.salt;
  for (size_t n = 1; n <= longest_ngram(); ++n) {
    const auto id = static_cast<uint32_t>(tokens_[tokens_.size() - n]);
    // The odd number keeps token 0 from leaving a hash of 0 at 0.
    hash = mix(hash + id + 0x9E3779B97F4A7C15);
    hashes[n] = hash;
  }
  return hashes;
}

std::optional<PromptLookup::Match> PromptLookup::find_match() const {
  if (tokens_.empty()) return std::nullopt;
  const size_t newest = tokens_.size() - 1;
  for (size_t n = longest_ngram(); n >= options_.ngram_tokens_min; --n) {
    const uint32_t last = earlier_[newest * lengths_ + n - options_.ngram_tokens_min];
    const auto ngram_tokens = static_cast<uint32_t>(n);
    if (last != NgramTable::kNowhere && stood_before(ngram_tokens, last)) {
      return Match{ngram_tokens, last + 1};
    }
  }
  return std::nullopt;
}

bool PromptLookup::stood_before(uint32_t ngram_tokens, uint32_t last) const {
  // Different n-grams may share a hash; then there is no draft, which is no harm.
  const auto newest = tokens_.end() - ngram_tokens;
  const auto before = tokens_.begin() + (last + 1 - ngram_tokens);
  return std::equal(newest, tokens_.end(), before);
}

}  // namespace ovenbird
