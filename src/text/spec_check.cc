// What must hold for a tokenizer's description before anything is built from it.
#include <string>

#include "base/limits.h"
#include "text/pattern.h"
#include "text/tokenizer_spec.h"
#include "text/utf8.h"

namespace ovenbird {
namespace {

Failure corrupt(const std::string& what) { return fail(Code::kCorrupt, "tokenizer: " + what); }

/// Checks ids against one vocabulary; the first bad one is kept.
class IdCheck {
 public:
  explicit IdCheck(size_t vocabulary) : vocabulary_(vocabulary) {}

  void operator()(const char* what, int32_t id) {
    if (fault_.empty() && (id < 0 || static_cast<size_t>(id) >= vocabulary_)) {
      fault_ = std::string(what) + " is id " + std::to_string(id) + ", the vocabulary has " +
               std::to_string(vocabulary_);
    }
  }

  const std::string& fault() const { return fault_; }

 private:
  size_t vocabulary_;
  std::string fault_;
};

Status check_sizes(const TokenizerSpec& spec) {
  if (spec.tokens.size() == 0) return corrupt("the vocabulary is empty");
  if (spec.tokens.size() > limits::kVocabularyMax) {
    return corrupt(std::to_string(spec.tokens.size()) + " tokens, at most " +
                   std::to_string(limits::kVocabularyMax));
  }
  if (spec.flags.size() != spec.tokens.size()) return corrupt("flags and tokens differ in number");
  if (spec.merges.size() > limits::kMergesMax) return corrupt("too many merges");
  if (spec.added.size() > limits::kAddedTokensMax) return corrupt("too many added tokens");
  if (spec.normalizers.size() > limits::kTokenizerStepsMax ||
      spec.pre_tokenizers.size() > limits::kTokenizerStepsMax) {
    return fail(Code::kUnsupported, "tokenizer: more than " +
                                        std::to_string(limits::kTokenizerStepsMax) +
                                        " normalizers or pre-tokenizers");
  }
  if (spec.prefix_ids.size() + spec.suffix_ids.size() + spec.end_ids.size() >
      limits::kAddedTokensMax) {
    return corrupt("too many tokens to put around a text");
  }
  if (spec.chat_template.size() > limits::kTemplateBytesMax) {
    return corrupt("chat template of " + std::to_string(spec.chat_template.size()) +
                   " bytes, at most " + std::to_string(limits::kTemplateBytesMax));
  }
  return ok();
}

Status check_tokens(const TokenizerSpec& spec) {
  for (size_t id = 0; id < spec.tokens.size(); ++id) {
    const std::string_view text = spec.tokens[id];
    if (text.size() > limits::kTokenBytesMax) {
      return corrupt("token " + std::to_string(id) + " has " + std::to_string(text.size()) +
                     " bytes, at most " + std::to_string(limits::kTokenBytesMax));
    }
    if ((spec.flags[id] & kTokenByte) != 0 &&
        (text.size() != 1 || (spec.flags[id] & kTokenInModel) != 0)) {
      return corrupt("byte token " + std::to_string(id) + " is not one byte");
    }
    if (spec.form == TextForm::kSentencePiece && (spec.flags[id] & kTokenByte) == 0 &&
        !is_utf8(text)) {
      return corrupt("token " + std::to_string(id) + " is not UTF-8");
    }
  }
  return ok();
}

Status check_ids(const TokenizerSpec& spec) {
  IdCheck check_id(spec.tokens.size());
  for (const Merge& merge : spec.merges) {
    check_id("the left part of a merge", merge.left);
    check_id("the right part of a merge", merge.right);
    check_id("the result of a merge", merge.result);
  }
  for (const AddedToken& token : spec.added) check_id("an added token", token.id);
  for (const int32_t id : spec.byte_ids) {
    if (id != -1) check_id("a byte", id);
  }
  if (spec.unknown_id) check_id("the unknown token", *spec.unknown_id);
  if (spec.bos_id) check_id("the begin token", *spec.bos_id);
  if (spec.eos_id) check_id("the end token", *spec.eos_id);
  for (const int32_t id : spec.prefix_ids) check_id("a token to put before a text", id);
  for (const int32_t id : spec.suffix_ids) check_id("a token to put after a text", id);
  for (const int32_t id : spec.end_ids) check_id("a token that ends an answer", id);
  if (!check_id.fault().empty()) return corrupt(check_id.fault());
  return ok();
}

Status check_added_tokens(const TokenizerSpec& spec) {
  for (const AddedToken& token : spec.added) {
    const std::string name = "added token " + std::to_string(token.id);
    if (token.text.empty()) return corrupt(name + " is empty");
    if (token.text.size() > limits::kAddedTokenBytesMax) {
      return corrupt(name + " has " + std::to_string(token.text.size()) + " bytes, at most " +
                     std::to_string(limits::kAddedTokenBytesMax));
    }
    if (!is_utf8(token.text)) return corrupt(name + " is not UTF-8");
  }
  return ok();
}

Status check_steps(const TokenizerSpec& spec) {
  for (const NormalizerStep& step : spec.normalizers) {
    if (step.kind == NormalizerStep::Kind::kReplace && step.pattern.empty()) {
      return corrupt("a normalizer replaces the empty text");
    }
    if (step.pattern.size() > limits::kTokenBytesMax || step.text.size() > limits::kTokenBytesMax ||
        !is_utf8(step.pattern) || !is_utf8(step.text)) {
      return corrupt("the text of a normalizer is too long or not UTF-8");
    }
  }
  for (const PreTokenizerStep& step : spec.pre_tokenizers) {
    if (step.kind != PreTokenizerStep::Kind::kSplit) continue;
    const Result<Pattern> pattern = Pattern::compile(step.pattern);
    if (!pattern) return fail_in("tokenizer", pattern.error());
  }
  return ok();
}

}  // namespace

Status check(const TokenizerSpec& spec) {
  for (const auto& part : {check_sizes, check_tokens, check_ids, check_added_tokens, check_steps}) {
    if (Status checked = part(spec); !checked) return checked;
  }
  return ok();
}

}  // namespace ovenbird
