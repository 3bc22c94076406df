// The tokenizer inside a GGUF file: "gpt2" is byte-level BPE, "llama" SentencePiece's.
#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "base/limits.h"
#include "base/message_text.h"
#include "text/pre_tokenizer_names.h"
#include "text/tokenizer_spec.h"
#include "text/utf8.h"
#include "text/vocabulary.h"

namespace ovenbird {
namespace {

enum TokenType : int32_t { kUnknown = 2, kControl = 3, kUserDefined = 4, kByte = 6 };

constexpr int64_t kNoToken = 0xFFFFFFFF;  // how some writers say that there is none

Failure corrupt(const std::string& what) { return fail(Code::kCorrupt, "GGUF tokenizer: " + what); }

int32_t type_of(const GgufVocabulary& source, size_t id) {
  return source.types.empty() ? 1 : source.types[id];
}

Status check_sizes(const GgufVocabulary& source) {
  const size_t count = source.tokens.size();
  if (count == 0) return corrupt("tokenizer.ggml.tokens is missing or empty");
  if (count > limits::kVocabularyMax) {
    return corrupt(std::to_string(count) + " tokens, at most " +
                   std::to_string(limits::kVocabularyMax));
  }
  if (!source.types.empty() && source.types.size() != count) {
    return corrupt("tokenizer.ggml.token_type has " + std::to_string(source.types.size()) +
                   " entries, the vocabulary " + std::to_string(count));
  }
  if (source.model == "llama" && source.scores.size() != count) {
    return corrupt("tokenizer.ggml.scores has " + std::to_string(source.scores.size()) +
                   " entries, the vocabulary " + std::to_string(count));
  }
  if (source.merges.size() > limits::kMergesMax) return corrupt("too many merges");
  return ok();
}

/// Ids of named tokens; a wish for one that cannot be is an error, "none" is not.
Status read_id(const char* name, const std::optional<int64_t>& id, size_t count,
               std::optional<int32_t>& out) {
  if (!id || *id == kNoToken || *id == -1) return ok();
  if (*id < 0 || static_cast<uint64_t>(*id) >= count) {
    return corrupt(std::string("tokenizer.ggml.") + name + " is " + std::to_string(*id) +
                   ", the vocabulary has " + std::to_string(count));
  }
  out = static_cast<int32_t>(*id);
  return ok();
}

struct Defaults {
  bool adds_bos = false;
};

Status read_ids(const GgufVocabulary& source, const Defaults& defaults, TokenizerSpec& spec) {
  const size_t count = source.tokens.size();
  std::optional<int32_t> turn_end, message_end;
  for (const Status& read : {read_id("bos_token_id", source.bos_id, count, spec.bos_id),
                             read_id("eos_token_id", source.eos_id, count, spec.eos_id),
                             read_id("unknown_token_id", source.unknown_id, count, spec.unknown_id),
                             read_id("eot_token_id", source.eot_id, count, turn_end),
                             read_id("eom_token_id", source.eom_id, count, message_end)}) {
    if (!read) return read;
  }
  for (const std::optional<int32_t>& id : {spec.eos_id, turn_end, message_end}) {
    if (id) spec.end_ids.push_back(*id);
  }
  if (source.add_bos.value_or(defaults.adds_bos) && spec.bos_id) spec.prefix_ids = {*spec.bos_id};
  if (source.add_eos.value_or(false) && spec.eos_id) spec.suffix_ids = {*spec.eos_id};
  return ok();
}

void read_added_tokens(const GgufVocabulary& source, TokenizerSpec& spec) {
  for (size_t id = 0; id < source.tokens.size(); ++id) {
    const int32_t type = type_of(source, id);
    const bool is_unknown = spec.form == TextForm::kSentencePiece && type == kUnknown;
    if (type != kControl && type != kUserDefined && !is_unknown) continue;
    if (source.tokens[id].empty()) continue;
    AddedToken token;
    token.id = static_cast<int32_t>(id);
    token.text = source.tokens[id];
    token.is_special = type != kUserDefined;
    if (token.is_special) spec.flags[id] |= kTokenSpecial;
    spec.added.push_back(std::move(token));
  }
}

Vocabulary read_vocabulary(const GgufVocabulary& source) {
  Vocabulary vocabulary(source.tokens.size());
  for (size_t id = 0; id < source.tokens.size(); ++id) {
    const int32_t type = type_of(source, id);
    vocabulary.put(static_cast<int32_t>(id), source.tokens[id],
                   type != kControl && type != kUserDefined);
  }
  return vocabulary;
}

Status read_merges(const GgufVocabulary& source, const Vocabulary& vocabulary,
                   TokenizerSpec& spec) {
  spec.merges.reserve(source.merges.size());
  for (size_t i = 0; i < source.merges.size(); ++i) {
    const std::string_view merge = source.merges[i];
    const size_t space = merge.find(' ', 1);
    if (space == std::string_view::npos) {
      return corrupt("merge " + std::to_string(i) + " is not two texts with a space between");
    }
    const Status added =
        vocabulary.add_merge(merge.substr(0, space), merge.substr(space + 1), spec.merges);
    if (!added) return fail_in("GGUF tokenizer", added.error());
  }
  return ok();
}

/// SentencePiece has scores instead of merges: any two tokens whose texts together are a token may
/// become it, the highest score first, equal scores from left to right.
Status merges_from_scores(const GgufVocabulary& source, const Vocabulary& vocabulary,
                          TokenizerSpec& spec) {
  for (size_t id = 0; id < source.tokens.size(); ++id) {
    const std::string_view text = source.tokens[id];
    if (!vocabulary.is_in_model(static_cast<int32_t>(id)) || type_of(source, id) == kByte) continue;
    if (!std::isfinite(source.scores[id])) {
      return corrupt("the score of token " + std::to_string(id) + " is not a number");
    }
    if (text.size() > limits::kScoredTokenBytesMax) {
      return corrupt("token " + std::to_string(id) + " has " + std::to_string(text.size()) +
                     " bytes, at most " + std::to_string(limits::kScoredTokenBytesMax));
    }
    for (size_t cut = 1; cut < text.size(); ++cut) {
      const int32_t left = vocabulary.find(text.substr(0, cut));
      const int32_t right = left < 0 ? -1 : vocabulary.find(text.substr(cut));
      if (right < 0) continue;
      spec.merges.push_back({.left = left, .right = right, .result = static_cast<int32_t>(id)});
      if (spec.merges.size() > limits::kMergesMax) return corrupt("too many ways to merge");
    }
  }
  const auto score = [&](const Merge& merge) { return source.scores[merge.result]; };
  std::stable_sort(spec.merges.begin(), spec.merges.end(),
                   [&](const Merge& a, const Merge& b) { return score(a) > score(b); });
  int32_t rank = 0;
  for (size_t i = 0; i < spec.merges.size(); ++i) {
    if (i > 0 && score(spec.merges[i]) != score(spec.merges[i - 1])) ++rank;
    spec.merges[i].rank = rank;
  }
  return ok();
}

Status read_byte_level(const GgufVocabulary& source, TokenizerSpec& spec) {
  spec.form = TextForm::kByteLevel;
  const Result<NamedPreTokenizer> named = pre_tokenizer_of(source.pre);
  if (!named) return Failure{named.error()};
  spec.pre_tokenizers = named->steps;
  spec.ignores_merges = named->ignores_merges;
  if (named->composes) {
    spec.normalizers = {{.kind = NormalizerStep::Kind::kNfc, .pattern = {}, .text = {}}};
  }
  const Vocabulary vocabulary = read_vocabulary(source);
  vocabulary.fill(spec, {});
  read_added_tokens(source, spec);
  if (Status read = read_merges(source, vocabulary, spec); !read) return read;
  if (Status read = read_ids(source, {.adds_bos = named->adds_bos}, spec); !read) return read;
  // The file may name an unknown token, but byte-level BPE has no use for it: a byte without a
  // token (SmolLM2 lacks some) is left out.
  spec.unknown_id.reset();
  return ok();
}

Status read_sentence_piece(const GgufVocabulary& source, TokenizerSpec& spec) {
  spec.form = TextForm::kSentencePiece;
  spec.fuses_unknown = true;
  spec.strips_first_space = source.add_space_prefix.value_or(true);
  const std::string space(kMetaspace);
  if (spec.strips_first_space) {
    spec.normalizers.push_back(
        {.kind = NormalizerStep::Kind::kPrepend, .pattern = {}, .text = space});
  }
  spec.normalizers.push_back(
      {.kind = NormalizerStep::Kind::kReplace, .pattern = " ", .text = space});
  const Vocabulary vocabulary = read_vocabulary(source);
  vocabulary.fill(spec, {.falls_back_to_bytes = true, .decodes_byte_tokens = true});
  read_added_tokens(source, spec);
  if (Status read = merges_from_scores(source, vocabulary, spec); !read) return read;
  return read_ids(source, {.adds_bos = true}, spec);
}

}  // namespace

Result<TokenizerSpec> tokenizer_spec_from_gguf(const GgufVocabulary& source) {
  if (source.model != "gpt2" && source.model != "llama") {
    return fail(Code::kUnsupported, "GGUF tokenizer " + in_quotes(source.model) +
                                        " is not supported; supported: gpt2 (byte-level BPE), "
                                        "llama (SentencePiece BPE)");
  }
  if (Status sizes = check_sizes(source); !sizes) return Failure{sizes.error()};
  TokenizerSpec spec;
  spec.chat_template = source.chat_template;
  const Status read =
      source.model == "gpt2" ? read_byte_level(source, spec) : read_sentence_piece(source, spec);
  if (!read) return Failure{read.error()};
  if (Status checked = check(spec); !checked) return Failure{checked.error()};
  return spec;
}

}  // namespace ovenbird
