// Finds the tokens that are cut out of a text before anything else: <|im_start|>, </s>, ...
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/tokenizer_spec.h"

namespace ovenbird {

/// A trie over the texts of added tokens. Immutable.
class AddedTokenSet {
 public:
  /// `text` is what is looked for: the token's own text, or that text normalized.
  void insert(std::string_view text, const AddedToken& token);

  struct Found {
    size_t first = 0;
    size_t end = 0;
    const AddedToken* token = nullptr;
  };

  /// The leftmost token at or after `from`, the longest of those that begin there.
  std::optional<Found> find(std::string_view text, size_t from) const;

  bool empty() const { return tokens_.empty(); }

 private:
  const AddedToken* longest_at(std::string_view text, size_t& end) const;

  static constexpr uint32_t kNone = ~uint32_t{0};
  std::array<bool, 256> begins_{};                   // some token begins with this byte
  std::unordered_map<uint64_t, uint32_t> children_;  // node << 8 | byte -> node; 0 is the root
  std::vector<uint32_t> ends_here_ = {kNone};        // [nodes], index into tokens_
  std::vector<const AddedToken*> tokens_;
};

/// What a text falls into: added tokens and the text between them.
struct TextPart {
  std::string_view text;
  bool is_at_start = false;      // nothing of the whole text lies before it
  std::optional<int32_t> token;  // an added token stands for `text`
};

/// Walks through the parts of one text, in order. White space that a token eats belongs to it.
class AddedTokenCursor {
 public:
  /// In the ranges of `user_text` (ascending), special tokens are text like any other.
  AddedTokenCursor(const AddedTokenSet& set, std::string_view text,
                   std::span<const TextRange> user_text)
      : set_(set), text_(text), user_text_(user_text) {}

  std::optional<TextPart> next();

 private:
  bool is_accepted(const AddedTokenSet::Found& found) const;
  bool touches_user_text(const AddedTokenSet::Found& found) const;
  TextPart part(size_t first, size_t end, std::optional<int32_t> token) const;

  const AddedTokenSet& set_;
  std::string_view text_;
  std::span<const TextRange> user_text_;  // those that do not end before the search
  size_t searched_ = 0;                   // where the next search begins
  size_t done_ = 0;                       // what lies before is in parts already given
  std::optional<TextPart> held_;
};

}  // namespace ovenbird
