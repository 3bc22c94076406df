// PCRE2, just in time compiled where the system allows it, with limits on steps, memory and time.
#include "text/pattern.h"

#include <algorithm>
#include <array>

#include "base/limits.h"
#include "base/message_text.h"
#include "text/utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace ovenbird {
namespace {

// A character run takes about one step a character, so long runs need a limit that grows with them.
constexpr uint32_t kStepsMin = 1'000'000;
constexpr uint32_t kDepthMax = 20'000;  // nested backtracking points without the JIT
constexpr uint32_t kHeapKibibytesMax = 20'000;
constexpr size_t kJitStackBytesMin = 32 << 10;
constexpr size_t kJitStackBytesMax = 1 << 20;
constexpr unsigned kMatchesBetweenLooks = 16;  // at the clock

std::string message_of(int code) {
  std::array<PCRE2_UCHAR, 160> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

PCRE2_SPTR bytes_of(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

}  // namespace

void PcreDeleter::operator()(pcre2_real_code_8* code) const { pcre2_code_free(code); }
void PcreDeleter::operator()(pcre2_real_match_data_8* data) const { pcre2_match_data_free(data); }
void PcreDeleter::operator()(pcre2_real_match_context_8* context) const {
  pcre2_match_context_free(context);
}
void PcreDeleter::operator()(pcre2_real_jit_stack_8* stack) const { pcre2_jit_stack_free(stack); }

MatchScratch::MatchScratch()
    : data_(pcre2_match_data_create(1, nullptr)),
      context_(pcre2_match_context_create(nullptr)),
      jit_stack_(pcre2_jit_stack_create(kJitStackBytesMin, kJitStackBytesMax, nullptr)) {
  pcre2_set_depth_limit(context_.get(), kDepthMax);
  pcre2_set_heap_limit(context_.get(), kHeapKibibytesMax);
  pcre2_jit_stack_assign(context_.get(), nullptr, jit_stack_.get());
}

void MatchScratch::start(size_t text_bytes) {
  static_assert(limits::kPromptBytesMax * limits::kNormalizedGrowthMax * 4 + kStepsMin <
                UINT32_MAX);
  const uint32_t steps = kStepsMin + static_cast<uint32_t>(text_bytes) * 4;
  pcre2_set_match_limit(context_.get(), steps);
  deadline_ = std::chrono::steady_clock::now() + limits::kSplitTimeMax;
  matches_ = 0;
}

Result<Pattern> Pattern::compile(std::string_view expression) {
  const std::string shown = "regular expression " + in_quotes(expression);
  if (expression.size() > limits::kPatternBytesMax) {
    return fail(Code::kUnsupported, shown + "...: " + std::to_string(expression.size()) +
                                        " bytes, at most " +
                                        std::to_string(limits::kPatternBytesMax));
  }
  if (!is_utf8(expression)) return fail(Code::kCorrupt, "regular expression: not UTF-8");
  const Result<std::string> translated = translate_pattern(expression);
  if (!translated) return Failure{translated.error()};

  int code = 0;
  PCRE2_SIZE offset = 0;
  // Oniguruma's "^" and "$" hold at every line.
  std::unique_ptr<pcre2_real_code_8, PcreDeleter> compiled(pcre2_compile(
      bytes_of(*translated), translated->size(),
      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code, &offset, nullptr));
  if (!compiled) return fail(Code::kCorrupt, shown + ": " + message_of(code));
  // Where the system forbids it, matching falls back to the interpreter by itself.
  pcre2_jit_compile(compiled.get(), PCRE2_JIT_COMPLETE);
  return Pattern(std::move(compiled));
}

Result<std::optional<Match>> Pattern::find(std::string_view text, size_t from,
                                           MatchScratch& scratch) const {
  while (from < text.size()) {
    if (++scratch.matches_ % kMatchesBetweenLooks == 0 &&
        std::chrono::steady_clock::now() > scratch.deadline_) {
      return fail(Code::kUnsupported,
                  "split text: the tokenizer's regular expression takes too long on this text");
    }
    const int found = pcre2_match(code_.get(), bytes_of(text), text.size(), from,
                                  PCRE2_NO_UTF_CHECK, scratch.data_.get(), scratch.context_.get());
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0) {
      return fail(Code::kUnsupported,
                  "split text: the tokenizer's regular expression gave up: " + message_of(found));
    }
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(scratch.data_.get());
    if (ends[1] > ends[0]) return std::optional<Match>({.first = ends[0], .end = ends[1]});
    from = std::max<size_t>(from, ends[0]);
    from += utf8_step(text.substr(from)).bytes;  // an empty match cuts nothing: look further on
  }
  return std::optional<Match>();
}

}  // namespace ovenbird
