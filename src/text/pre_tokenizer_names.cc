// The regular expressions of the families whose GGUF files are supported, as their own
// tokenizer.json files have them; the names are those of llama.cpp's converter.
#include "text/pre_tokenizer_names.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/message_text.h"
#include "text/tokenizer_json_steps.h"

namespace ovenbird {
namespace {

constexpr const char* kDigitPattern = R"(\p{N})";
constexpr const char* kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kTekkenPattern =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
    R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr const char* kGpt4oPattern =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

enum class Family { kGpt2, kDigitsFirst, kLlama3, kLlama3Merging, kQwen2, kTekken, kGpt4o };

struct Name {
  std::string_view name;
  Family family;
};

constexpr std::array kNames = {
    Name{"gpt-2", Family::kGpt2},
    Name{"olmo", Family::kGpt2},
    Name{"smollm", Family::kDigitsFirst},
    Name{"starcoder", Family::kDigitsFirst},
    Name{"refact", Family::kDigitsFirst},
    Name{"llama-bpe", Family::kLlama3},
    Name{"llama3", Family::kLlama3},
    Name{"llama-v3", Family::kLlama3},
    Name{"qwen2", Family::kQwen2},
    Name{"deepseek-r1-qwen", Family::kQwen2},
    Name{"tekken", Family::kTekken},
    // Phi-4 and OLMo 2; SmolLM3; Phi-4 mini.
    Name{"dbrx", Family::kLlama3Merging},
    Name{"smaug-bpe", Family::kLlama3Merging},
    Name{"gpt-4o", Family::kGpt4o},
};

PreTokenizerStep split(const char* pattern) {
  PreTokenizerStep step;
  step.pattern = pattern;
  return step;
}

NamedPreTokenizer meaning_of(Family family) {
  switch (family) {
    case Family::kGpt2:
      return {.steps = {split(kGpt2Pattern)}};
    case Family::kDigitsFirst:
      return {.steps = {split(kDigitPattern), split(kGpt2Pattern)}};
    case Family::kLlama3:
      return {.steps = {split(kLlama3Pattern)}, .ignores_merges = true, .adds_bos = true};
    case Family::kLlama3Merging:
      return {.steps = {split(kLlama3Pattern)}};
    case Family::kGpt4o:
      return {.steps = {split(kGpt4oPattern)}};
    case Family::kQwen2:
      return {.steps = {split(kQwen2Pattern)}, .composes = true};
    case Family::kTekken:
      return {.steps = {split(kTekkenPattern)}, .ignores_merges = true, .adds_bos = true};
  }
  return {};
}

}  // namespace

Result<NamedPreTokenizer> pre_tokenizer_of(std::string_view name) {
  const auto* const found = std::find_if(kNames.begin(), kNames.end(),
                                         [&](const Name& known) { return known.name == name; });
  if (found != kNames.end()) return meaning_of(found->family);
  std::string known;
  for (const Name& entry : kNames) known.append(known.empty() ? "" : ", ").append(entry.name);
  return fail(Code::kUnsupported, "GGUF tokenizer: tokenizer.ggml.pre " + in_quotes(name) +
                                      " is not supported; supported: " + known);
}

}  // namespace ovenbird
