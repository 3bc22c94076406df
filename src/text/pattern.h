// One regular expression from a tokenizer file, matched by PCRE2 under limits.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "ovenbird/result.hpp"

// PCRE2's types, so that its header stays in pattern.cc.
struct pcre2_real_code_8;
struct pcre2_real_match_data_8;
struct pcre2_real_match_context_8;
struct pcre2_real_jit_stack_8;

namespace ovenbird {

struct PcreDeleter {
  void operator()(pcre2_real_code_8* code) const;
  void operator()(pcre2_real_match_data_8* data) const;
  void operator()(pcre2_real_match_context_8* context) const;
  void operator()(pcre2_real_jit_stack_8* stack) const;
};

/// The working memory of matching, for one thread at a time. Also the clock that ends a hostile
/// expression: no single match may take more than a number of steps, nor all of them more than
/// limits::kSplitTimeMax together since `start`.
class MatchScratch {
 public:
  MatchScratch();

  void start(size_t text_bytes);

 private:
  friend class Pattern;
  std::unique_ptr<pcre2_real_match_data_8, PcreDeleter> data_;
  std::unique_ptr<pcre2_real_match_context_8, PcreDeleter> context_;
  std::unique_ptr<pcre2_real_jit_stack_8, PcreDeleter> jit_stack_;
  std::chrono::steady_clock::time_point deadline_;
  unsigned matches_ = 0;
};

/// A run of bytes of the text that was searched.
struct Match {
  size_t first = 0;
  size_t end = 0;
};

/// Immutable and shared by threads.
class Pattern {
 public:
  /// Compiles an expression written for Oniguruma (what Hugging Face's tokenizers use); where PCRE2
  /// means something else by the same sign, it is spelled out.
  /// Errors: kCorrupt (not an expression), kUnsupported (a construct that has no equal in PCRE2).
  static Result<Pattern> compile(std::string_view expression);

  /// The first match that is not empty at or after `from` of the valid UTF-8 `text`; nothing if
  /// there is none. Errors: kUnsupported, the limits of `scratch` were hit.
  Result<std::optional<Match>> find(std::string_view text, size_t from,
                                    MatchScratch& scratch) const;

 private:
  explicit Pattern(std::unique_ptr<pcre2_real_code_8, PcreDeleter> code) : code_(std::move(code)) {}
  std::unique_ptr<pcre2_real_code_8, PcreDeleter> code_;
};

/// Escapes every character of `literal` that an expression would take for a sign.
std::string escape_pattern(std::string_view literal);

/// The same expression in PCRE2's spelling. Errors: kUnsupported. Separate for its tests.
Result<std::string> translate_pattern(std::string_view expression);

}  // namespace ovenbird
