// Stage text, in: a tokenizer.json or GGUF metadata that nobody has checked. Out: one neutral,
// checked description, whatever the source was; it is also what a bundle keeps, in binary form.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/gguf_vocabulary.h"
#include "ovenbird/result.hpp"
#include "text/token_table.h"

namespace ovenbird {

/// Which alphabet the BPE works on.
enum class TextForm : uint8_t {
  kByteLevel,      // bytes; a token is any byte string (GPT-2, Llama 3, Qwen)
  kSentencePiece,  // characters, U+2581 for a space, bytes only where a character is unknown
};

/// Bytes [first, end) of a text.
struct TextRange {
  size_t first = 0;
  size_t end = 0;
};

/// A token that is cut out of the text before anything else is done to it.
struct AddedToken {
  int32_t id = 0;
  std::string text;               // never empty
  bool is_special = false;        // user text may not produce it; left out of shown text
  bool eats_space_left = false;   // takes the white space before it ("lstrip")
  bool eats_space_right = false;  // ... after it ("rstrip")
  bool is_normalized = false;     // looked for in the normalized text instead of the raw one
  bool is_single_word = false;    // only where no word character touches it
};

struct NormalizerStep {
  enum class Kind : uint8_t { kNfc, kPrepend, kReplace };
  Kind kind = Kind::kNfc;
  std::string pattern;  // kReplace: the literal text to replace, not empty
  std::string text;     // kPrepend, kReplace: what to put there
};

/// What happens to the matches of a split (Hugging Face's "behavior").
enum class SplitBehavior : uint8_t {
  kIsolated,            // a piece of its own
  kRemoved,             // dropped
  kMergedWithPrevious,  // the end of the piece before
  kMergedWithNext,      // the beginning of the piece after
  kContiguous,          // neighbouring matches are one piece
};

enum class MetaspacePrepend : uint8_t { kNever, kFirst, kAlways };

/// Cuts every piece of the step before into smaller ones.
struct PreTokenizerStep {
  enum class Kind : uint8_t {
    kSplit,        // by a regular expression
    kMetaspace,    // " " becomes U+2581
    kPrefixSpace,  // a space in front, unless there is one
  };
  Kind kind = Kind::kSplit;
  std::string pattern;                                   // kSplit: as Oniguruma reads it
  SplitBehavior behavior = SplitBehavior::kIsolated;     // kSplit
  bool is_inverted = false;                              // kSplit: what does not match is the match
  MetaspacePrepend prepend = MetaspacePrepend::kAlways;  // kMetaspace
  bool cuts_words = false;                               // kMetaspace: cut before each U+2581
};

/// `left` and `right`, neighbours, become `result`; the lowest rank first, ties leftmost.
struct Merge {
  int32_t left = 0, right = 0, result = 0, rank = 0;
};

/// Facts about one token, as bits.
enum TokenFlags : uint8_t {
  kTokenInModel = 1,  // the BPE may produce it; it can be found by its bytes
  kTokenSpecial = 2,  // an added token that is special
  kTokenByte = 4,     // kSentencePiece: stands for the one byte that `tokens` has for it
};

struct TokenizerSpec {
  TextForm form = TextForm::kByteLevel;
  /// [vocabulary]; kByteLevel: what the token decodes to; kSentencePiece: the same with U+2581 for
  /// a space. Ids that no token has are empty.
  TokenTable tokens;
  std::vector<uint8_t> flags;         // [vocabulary], TokenFlags
  std::array<int32_t, 256> byte_ids;  // the token of each byte; -1 = none
  std::vector<Merge> merges;
  std::vector<AddedToken> added;
  std::vector<NormalizerStep> normalizers;
  std::vector<PreTokenizerStep> pre_tokenizers;
  std::optional<int32_t> unknown_id;
  bool fuses_unknown = false;       // a run of unknown characters is one unknown token
  bool ignores_merges = false;      // a whole piece that is a token is that token
  bool strips_first_space = false;  // shown text begins without its first space
  std::vector<int32_t> prefix_ids;  // put before a text that stands alone: <s>
  std::vector<int32_t> suffix_ids;  // ... after
  std::optional<int32_t> bos_id, eos_id;
  std::vector<int32_t> end_ids;  // each of them ends an answer; eos_id among them
  std::string chat_template;     // Jinja, not compiled; empty = none

  TokenizerSpec() { byte_ids.fill(-1); }
};

/// Reads Hugging Face's tokenizer.json, and of tokenizer_config.json (may be empty) the names of
/// the begin and end tokens and the chat template.
///
/// Errors: kCorrupt (breaks the format, or contradicts itself); kUnsupported (well-formed, but of a
/// kind that is not implemented, which the message names with what is).
Result<TokenizerSpec> tokenizer_spec_from_json(std::string_view tokenizer_json,
                                               std::string_view tokenizer_config_json);

/// Reads what a GGUF file says. Errors: as above.
Result<TokenizerSpec> tokenizer_spec_from_gguf(const GgufVocabulary& vocabulary);

/// Checks every id, size and regular expression of a description from anywhere.
/// Errors: kCorrupt, naming the field; kUnsupported for a regular expression PCRE2 cannot take.
Status check(const TokenizerSpec& spec);

}  // namespace ovenbird
