// Stage text: text to token ids and back, exactly as Hugging Face's tokenizers does it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ovenbird/result.hpp"
#include "text/tokenizer_spec.h"

namespace ovenbird {

/// What the name of a special token in a text is.
enum class SpecialText {
  kIsText,   // letters like any other: for what users write
  kIsToken,  // the token: for what templates and programs write
};

/// What becomes of special tokens when ids are shown.
enum class SpecialTokens { kShown, kHidden };

/// Immutable; all members may be called from any number of threads at once. Encoding borrows
/// working memory from a pool (about 0.6 MB for each thread that encodes at the same moment).
class Tokenizer {
 public:
  /// Checks the description and compiles it: about 1 ms for each 10,000 tokens.
  /// Errors: those of check(spec).
  static Result<Tokenizer> create(TokenizerSpec spec);

  Tokenizer(Tokenizer&& other) noexcept;
  Tokenizer& operator=(Tokenizer&& other) noexcept;
  ~Tokenizer();

  /// The tokens of a text alone: nothing is put around them (see prefix_ids). Broken UTF-8 counts
  /// as U+FFFD. Errors: kInvalidArgument, more than limits::kPromptBytesMax; kUnsupported, the
  /// tokenizer's own rules cannot take this text within the limits.
  Result<std::vector<int32_t>> encode(std::string_view text, SpecialText special) const;

  /// The same for a text of which users wrote some ranges (ascending, apart from each other): names
  /// of special tokens are tokens where no byte of them lies in such a range. Everything else is as
  /// if it were one text, so words may go across the borders.
  Result<std::vector<int32_t>> encode(std::string_view text,
                                      std::span<const TextRange> user_text) const;

  /// The text of `ids`, valid UTF-8. Ids that no token has show nothing.
  std::string decode(std::span<const int32_t> ids, SpecialTokens special) const;

  /// The bytes that one token adds to a text; may be a part of a character. Empty for an id that no
  /// token has.
  std::string piece(int32_t id) const;

  /// The id of an added token, or of any token whose bytes are `text`. Not fast.
  std::optional<int32_t> id_of(std::string_view text) const;

  bool is_special(int32_t id) const;
  bool is_end(int32_t id) const;  // this token ends an answer

  size_t vocabulary_size() const;                  // ids are below it
  const std::vector<int32_t>& prefix_ids() const;  // to be put before a text that stands alone: <s>
  const std::vector<int32_t>& suffix_ids() const;
  std::optional<int32_t> bos_id() const;
  std::optional<int32_t> eos_id() const;
  std::string bos_text() const;  // as chat templates write it; empty = there is none
  std::string eos_text() const;
  bool strips_first_space() const;  // decode() drops one space at the very beginning

  /// What was compiled, without the merges.
  const TokenizerSpec& spec() const;

 private:
  struct Parts;
  Result<std::vector<int32_t>> encode_where(std::string_view text,
                                            std::span<const TextRange> user_text) const;
  explicit Tokenizer(std::unique_ptr<const Parts> parts);
  std::unique_ptr<const Parts> parts_;
};

}  // namespace ovenbird
