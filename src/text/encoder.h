// The way of one text through a tokenizer: added tokens, normalizers, pieces, merges.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "ovenbird/result.hpp"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/pattern.h"
#include "text/tokenizer_spec.h"

namespace ovenbird {

/// Working memory of one encode call; reused by later calls, by one thread at a time.
struct EncodeScratch {
  BpeScratch bpe;
  MatchScratch matches;
  std::string normalized, spare;
  std::array<std::string, limits::kTokenizerStepsMax> pieces;  // one for each pre-tokenizer
};

/// A compiled description. Immutable; keeps references to the spec, which must outlive it.
class Encoder {
 public:
  /// Errors: kCorrupt, kUnsupported (a regular expression).
  static Result<Encoder> create(const TokenizerSpec& spec);

  /// Appends the tokens of valid UTF-8; special tokens are text in the ranges of `user_text`.
  /// Errors: kUnsupported, a limit was hit.
  Status encode(std::string_view text, std::span<const TextRange> user_text, EncodeScratch& scratch,
                std::vector<int32_t>& ids) const;

 private:
  struct Work {  // what stays the same through one call
    EncodeScratch& scratch;
    std::vector<int32_t>& ids;
    std::span<const TextRange> user_text;
  };

  explicit Encoder(const TokenizerSpec& spec) : spec_(spec), bpe_(spec) {}

  Status encode_raw(const TextPart& part, const Work& work) const;
  Status cut(size_t step, std::string_view piece, bool is_at_start, const Work& work) const;
  Status cut_by_pattern(size_t step, std::string_view piece, bool is_at_start,
                        const Work& work) const;
  Status cut_at_spaces(size_t step, std::string_view piece, bool is_at_start,
                       const Work& work) const;

  const TokenizerSpec& spec_;
  Bpe bpe_;
  AddedTokenSet raw_tokens_;                      // looked for in the text as it came
  AddedTokenSet normalized_tokens_;               // ... in the normalized text
  std::vector<std::optional<Pattern>> patterns_;  // [pre_tokenizers]
};

}  // namespace ovenbird
