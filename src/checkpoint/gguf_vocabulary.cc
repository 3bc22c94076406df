// The `tokenizer.*` metadata of a GGUF, types and lengths checked, meaning left to text/.
#include <string>
#include <utility>

#include "base/limits.h"
#include "base/message_text.h"
#include "checkpoint/gguf_model.h"

namespace ovenbird {
namespace {

constexpr char kPrefix[] = "tokenizer.ggml.";

/// Writers that have no such token put the largest 32-bit number there.
constexpr int64_t kNoToken = 0xffffffff;

std::optional<int64_t> token_id(GgufMetadata& metadata, const char* name) {
  const auto id = metadata.integer(std::string(kPrefix) + name);
  return id == kNoToken ? std::nullopt : id;
}

Status check_lengths(const GgufVocabulary& vocabulary) {
  const size_t tokens = vocabulary.tokens.size();
  if (tokens == 0) return fail(Code::kCorrupt, "it has no tokens (tokenizer.ggml.tokens)");
  if (tokens > limits::kVocabularyMax) {
    return fail(Code::kCorrupt, "it has " + std::to_string(tokens) + " tokens; at most " +
                                    std::to_string(limits::kVocabularyMax) + " are read");
  }
  const auto fits = [tokens](size_t count) { return count == 0 || count == tokens; };
  if (!fits(vocabulary.types.size()) || !fits(vocabulary.scores.size())) {
    return fail(Code::kCorrupt, "it has " + std::to_string(tokens) + " tokens, but " +
                                    std::to_string(vocabulary.types.size()) + " types and " +
                                    std::to_string(vocabulary.scores.size()) + " scores");
  }
  for (const std::string& token : vocabulary.tokens) {
    if (token.size() > limits::kTokenBytesMax) {
      return fail(Code::kCorrupt, "a token has " + std::to_string(token.size()) +
                                      " bytes; at most " + std::to_string(limits::kTokenBytesMax) +
                                      " are read");
    }
  }
  return ok();
}

}  // namespace

Result<GgufVocabulary> gguf_vocabulary(GgufMetadata& metadata) {
  const std::string prefix = kPrefix;
  GgufVocabulary vocabulary;
  vocabulary.model = metadata.text(prefix + "model").value_or("");
  vocabulary.pre = metadata.text(prefix + "pre").value_or("");
  vocabulary.tokens = metadata.texts(prefix + "tokens");
  vocabulary.types = metadata.integers(prefix + "token_type");
  vocabulary.scores = metadata.numbers(prefix + "scores");
  vocabulary.merges = metadata.texts(prefix + "merges");
  vocabulary.chat_template = metadata.text("tokenizer.chat_template").value_or("");
  vocabulary.bos_id = token_id(metadata, "bos_token_id");
  vocabulary.eos_id = token_id(metadata, "eos_token_id");
  vocabulary.unknown_id = token_id(metadata, "unknown_token_id");
  vocabulary.padding_id = token_id(metadata, "padding_token_id");
  vocabulary.eot_id = token_id(metadata, "eot_token_id");
  vocabulary.eom_id = token_id(metadata, "eom_token_id");
  vocabulary.add_bos = metadata.flag(prefix + "add_bos_token");
  vocabulary.add_eos = metadata.flag(prefix + "add_eos_token");
  vocabulary.add_space_prefix = metadata.flag(prefix + "add_space_prefix");
  if (metadata.fault()) return Failure{*metadata.fault()};

  if (vocabulary.model != "gpt2" && vocabulary.model != "llama") {
    return fail(Code::kUnsupported, "the tokenizer model is " + in_quotes(vocabulary.model) +
                                        "; supported are gpt2 and llama");
  }
  if (Status status = check_lengths(vocabulary); !status) return Failure{status.error()};
  return vocabulary;
}

}  // namespace ovenbird
