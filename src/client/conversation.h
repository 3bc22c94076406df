// The tokens of a session as its program sees them, and how many of them the record has already.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ovenbird/result.hpp"

namespace ovenbird::client {

class Conversation {
 public:
  Conversation(uint32_t vocabulary, uint32_t tokens_max)
      : vocabulary_(vocabulary), tokens_max_(tokens_max) {}

  /// Errors: kInvalidArgument (an id beyond the vocabulary, more tokens than there is room for);
  /// nothing has changed then.
  Status feed(std::span<const int32_t> tokens);
  /// The same with tokens of plain text or of an answer, which the next answer goes on with.
  Status feed_text(std::span<const int32_t> tokens);
  /// An empty one becomes what the other is.
  Status feed_all_of(const Conversation& other);

  /// Keeps the first `count`. Errors: kInvalidArgument (there are fewer).
  Status rewind(size_t count);

  /// Makes it these tokens. Errors: as feed().
  Status set(std::span<const int32_t> tokens);

  const std::vector<int32_t>& tokens() const { return tokens_; }
  /// Whether what follows goes on with a text. Of tokens that were not called text nobody knows:
  /// they are those of a chat, where an answer begins one.
  bool ends_in_text() const { return text_begin_ < tokens_.size(); }

  /// The first so many stand in the record in the same way.
  size_t standing() const { return standing_; }
  void stands() { standing_ = tokens_.size(); }

 private:
  Status check(const char* step, size_t kept, std::span<const int32_t> tokens) const;

  uint32_t vocabulary_;
  uint32_t tokens_max_;
  std::vector<int32_t> tokens_;
  size_t standing_ = 0;
  size_t text_begin_ = 0;  // from there on it is text
};

}  // namespace ovenbird::client
