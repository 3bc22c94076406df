// Changes only ever shorten what stands in the record.
#include "client/conversation.h"

#include <algorithm>
#include <string>

namespace ovenbird::client {

Status Conversation::check(const char* step, size_t kept, std::span<const int32_t> tokens) const {
  const auto wrong = std::find_if(tokens.begin(), tokens.end(), [&](int32_t id) {
    return id < 0 || static_cast<uint32_t>(id) >= vocabulary_;
  });
  if (wrong != tokens.end()) {
    return fail(Code::kInvalidArgument, std::string(step) + ": token " + std::to_string(*wrong) +
                                            " at " + std::to_string(wrong - tokens.begin()) +
                                            "; the vocabulary has tokens 0 to " +
                                            std::to_string(vocabulary_ - 1));
  }
  if (tokens.size() > tokens_max_ || kept > tokens_max_ - tokens.size()) {
    return fail(Code::kInvalidArgument,
                std::string(step) + ": the conversation would have " +
                    std::to_string(kept + tokens.size()) + " tokens; the session was opened for " +
                    std::to_string(tokens_max_) + ": open it with more tokens_max");
  }
  return ok();
}

Status Conversation::feed(std::span<const int32_t> tokens) {
  if (Status fed = feed_text(tokens); !fed) return fed;
  text_begin_ = tokens_.size();
  return ok();
}

Status Conversation::feed_text(std::span<const int32_t> tokens) {
  if (Status good = check("feed", tokens_.size(), tokens); !good) return good;
  tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
  return ok();
}

Status Conversation::feed_all_of(const Conversation& other) {
  if (Status fed = feed(other.tokens_); !fed) return fed;
  standing_ = other.standing_;
  text_begin_ = other.text_begin_;
  return ok();
}

Status Conversation::rewind(size_t count) {
  if (count > tokens_.size()) {
    return fail(Code::kInvalidArgument, "rewind: to " + std::to_string(count) +
                                            " tokens; the conversation has " +
                                            std::to_string(tokens_.size()));
  }
  tokens_.resize(count);
  standing_ = std::min(standing_, count);
  text_begin_ = std::min(text_begin_, count);
  return ok();
}

Status Conversation::set(std::span<const int32_t> tokens) {
  if (Status good = check("set conversation", 0, tokens); !good) return good;
  const auto [mine, theirs] =
      std::mismatch(tokens_.begin(), tokens_.end(), tokens.begin(), tokens.end());
  const auto same = static_cast<size_t>(mine - tokens_.begin());
  // What follows may lie in tokens_ itself, which assign() may not be given.
  const std::vector<int32_t> rest(theirs, tokens.end());
  tokens_.resize(same);
  tokens_.insert(tokens_.end(), rest.begin(), rest.end());
  standing_ = std::min(standing_, same);
  text_begin_ = tokens_.size();
  return ok();
}

}  // namespace ovenbird::client
