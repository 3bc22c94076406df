// Token by token to text that can be shown at once: never half a character, never taken back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "text/tokenizer.h"

namespace ovenbird {

/// Turns one answer into text. What all calls return together is decode() of all ids, with one
/// difference: in a SentencePiece vocabulary, bytes that are no character become one U+FFFD for
/// each broken part there is, and not for each byte, since the good parts have been shown already.
/// The tokenizer must outlive it.
class StreamDecoder {
 public:
  enum class Position {
    kStartOfText,    // the first space is dropped where the tokenizer does so
    kAfterOtherText  // the answer goes on where something else ended: a space is a space
  };

  StreamDecoder(const Tokenizer& tokenizer, SpecialTokens special, Position position)
      : tokenizer_(tokenizer),
        special_(special),
        drops_space_(position == Position::kStartOfText && tokenizer.strips_first_space()) {}

  /// The text that is final now that `id` has come. At most 3 bytes are held back.
  std::string feed(int32_t id);

  /// The rest: a U+FFFD if the answer ended inside a character, else nothing.
  std::string finish();

  size_t held_bytes() const { return held_.size(); }

 private:
  enum class Tail { kMayGrow, kIsOver };
  std::string drain(Tail tail);

  const Tokenizer& tokenizer_;
  SpecialTokens special_;
  bool drops_space_;
  std::string held_;
};

}  // namespace ovenbird
