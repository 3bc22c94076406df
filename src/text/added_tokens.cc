// Added tokens: leftmost, then longest; the rules are those of Hugging Face's added_vocabulary.rs.
#include "text/added_tokens.h"

#include <algorithm>

#include "text/utf8.h"

namespace ovenbird {
namespace {

uint64_t edge(uint32_t node, char byte) { return uint64_t{node} << 8 | static_cast<uint8_t>(byte); }

}  // namespace

void AddedTokenSet::insert(std::string_view text, const AddedToken& token) {
  if (text.empty()) return;
  begins_[static_cast<uint8_t>(text[0])] = true;
  uint32_t node = 0;
  for (const char byte : text) {
    const auto next = static_cast<uint32_t>(ends_here_.size());
    const auto [child, is_new] = children_.try_emplace(edge(node, byte), next);
    if (is_new) ends_here_.push_back(kNone);
    node = child->second;
  }
  if (ends_here_[node] == kNone) ends_here_[node] = static_cast<uint32_t>(tokens_.size());
  tokens_.push_back(&token);
}

const AddedToken* AddedTokenSet::longest_at(std::string_view text, size_t& end) const {
  const AddedToken* longest = nullptr;
  uint32_t node = 0;
  for (size_t at = end; at < text.size(); ++at) {
    const auto child = children_.find(edge(node, text[at]));
    if (child == children_.end()) break;
    node = child->second;
    if (ends_here_[node] != kNone) {
      longest = tokens_[ends_here_[node]];
      end = at + 1;
    }
  }
  return longest;
}

std::optional<AddedTokenSet::Found> AddedTokenSet::find(std::string_view text, size_t from) const {
  if (empty()) return std::nullopt;
  for (size_t first = from; first < text.size(); ++first) {
    if (!begins_[static_cast<uint8_t>(text[first])]) continue;
    size_t end = first;
    const AddedToken* token = longest_at(text, end);
    if (token != nullptr) return Found{.first = first, .end = end, .token = token};
  }
  return std::nullopt;
}

bool AddedTokenCursor::touches_user_text(const AddedTokenSet::Found& found) const {
  return !user_text_.empty() && user_text_.front().first < found.end;
}

bool AddedTokenCursor::is_accepted(const AddedTokenSet::Found& found) const {
  if (found.token->is_special && touches_user_text(found)) return false;
  if (!found.token->is_single_word) return true;
  return !ends_with_word_character(text_.substr(0, found.first)) &&
         !starts_with_word_character(text_.substr(found.end));
}

TextPart AddedTokenCursor::part(size_t first, size_t end, std::optional<int32_t> token) const {
  return {.text = text_.substr(first, end - first), .is_at_start = first == 0, .token = token};
}

std::optional<TextPart> AddedTokenCursor::next() {
  if (held_) {
    const TextPart token = *held_;
    held_.reset();
    return token;
  }
  while (const std::optional<AddedTokenSet::Found> found = set_.find(text_, searched_)) {
    searched_ = found->end;
    while (!user_text_.empty() && user_text_.front().end <= found->first) {
      user_text_ = user_text_.subspan(1);
    }
    if (!is_accepted(*found)) {
      // Half of it may be the program's: its own token may begin inside.
      const bool leaves_user_text =
          touches_user_text(*found) && user_text_.front().end < found->end;
      if (leaves_user_text) searched_ = std::max(found->first + 1, user_text_.front().end);
      continue;
    }

    size_t first = found->first, end = found->end;
    if (found->token->eats_space_left) {
      while (first > done_) {
        const size_t space = trailing_space_bytes(text_.substr(0, first));
        if (space == 0) break;
        first -= space;
      }
      first = std::max(first, done_);
    }
    if (found->token->eats_space_right) {
      while (const size_t space = leading_space_bytes(text_.substr(end))) end += space;
    }

    // A token inside white space that the last one ate has nothing of its own to show.
    const TextPart token = part(std::min(first, end), end, found->token->id);
    const size_t text_first = done_;
    done_ = end;
    if (text_first >= first) return token;
    held_ = token;
    return part(text_first, first, std::nullopt);
  }
  if (done_ >= text_.size()) return std::nullopt;
  const size_t first = done_;
  done_ = searched_ = text_.size();
  return part(first, text_.size(), std::nullopt);
}

}  // namespace ovenbird
