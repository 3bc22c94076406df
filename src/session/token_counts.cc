// Keeps the counts of TokenCounts in step with its stack.
#include "session/token_counts.h"

#include <algorithm>

#include "base/check.h"

namespace ovenbird {

TokenCounts::TokenCounts(uint32_t vocabulary_tokens) : entries_(vocabulary_tokens) {}

void TokenCounts::reserve(size_t tokens) {
  tokens_.reserve(tokens);
  distinct_.reserve(std::min(tokens, entries_.size()));
}

void TokenCounts::push(int32_t id) {
  OVENBIRD_CHECK(id >= 0 && static_cast<size_t>(id) < entries_.size());
  Entry& entry = entries_[id];
  if (entry.in_history == 0) {
    entry.place = static_cast<uint32_t>(distinct_.size());
    distinct_.push_back(id);
  }
  ++entry.in_history;
  ++entry.in_answer;
  tokens_.push_back(id);
}

void TokenCounts::pop() {
  OVENBIRD_CHECK(!tokens_.empty());
  const int32_t id = tokens_.back();
  tokens_.pop_back();
  Entry& entry = entries_[id];
  --entry.in_history;
  if (tokens_.size() < answer_first_) {
    answer_first_ = tokens_.size();  // the token was the prompt's
  } else {
    --entry.in_answer;
  }
  if (entry.in_history == 0) {
    // The last of the distinct ids moves into the gap.
    const int32_t moved = distinct_.back();
    distinct_[entry.place] = moved;
    entries_[moved].place = entry.place;
    distinct_.pop_back();
  }
}

void TokenCounts::truncate(size_t tokens) {
  while (tokens_.size() > tokens) pop();
}

void TokenCounts::start_answer() {
  for (size_t i = answer_first_; i < tokens_.size(); ++i) entries_[tokens_[i]].in_answer = 0;
  answer_first_ = tokens_.size();
}

}  // namespace ovenbird
