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

  /// Keeps the first `count`. Errors: kInvalidArgument (there are fewer).
  Status rewind(size_t count);

  /// Makes it these tokens. Errors: as feed().
  Status set(std::span<const int32_t> tokens);

  const std::vector<int32_t>& tokens() const { return tokens_; }

  /// The first so many stand in the record in the same way.
  size_t standing() const { return standing_; }
  void set_standing(size_t count);
  void stands() { standing_ = tokens_.size(); }

 private:
  Status check(const char* step, size_t kept, std::span<const int32_t> tokens) const;

  uint32_t vocabulary_;
  uint32_t tokens_max_;
  std::vector<int32_t> tokens_;
  size_t standing_ = 0;
};

}  // namespace ovenbird::client
