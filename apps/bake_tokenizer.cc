// The files of a bundle that hold its tokenizer.
#include "bake_tokenizer.h"

#include <string>
#include <utility>
#include <variant>

#include "bundle/manifest.h"
#include "text/tokenizer_binary.h"
#include "text/tokenizer_spec.h"

namespace ovenbird {
namespace {

constexpr char kTemplateName[] = "chat_template.jinja";

Result<TokenizerSpec> spec_of(const TokenizerFiles& files) {
  Result<TokenizerSpec> spec =
      tokenizer_spec_from_json(files.tokenizer_json, files.tokenizer_config_json);
  // The template in a file of its own is the newer way, and wins.
  if (spec && !files.chat_template.empty()) spec->chat_template = files.chat_template;
  return spec;
}

Result<TokenizerSpec> spec_of(const GgufVocabulary& vocabulary) {
  return tokenizer_spec_from_gguf(vocabulary);
}

void add_unless_empty(std::vector<ExtraFile>& files, const char* name, const std::string& content) {
  if (!content.empty()) files.push_back({name, content});
}

void add_source_files(std::vector<ExtraFile>& files, const TokenizerFiles& source) {
  add_unless_empty(files, "tokenizer.json", source.tokenizer_json);
  add_unless_empty(files, "tokenizer_config.json", source.tokenizer_config_json);
}

void add_source_files(std::vector<ExtraFile>&, const GgufVocabulary&) {}

bool is_missing(const TokenizerFiles& files) { return files.tokenizer_json.empty(); }
bool is_missing(const GgufVocabulary& vocabulary) { return vocabulary.tokens.empty(); }

template <typename Origin>
Result<BakedTokenizer> bake_from(const Origin& origin) {
  if (is_missing(origin)) return BakedTokenizer{};
  Result<TokenizerSpec> spec = spec_of(origin);
  if (!spec) return fail_in("bake the tokenizer", spec.error());
  BakedTokenizer baked;
  baked.files.push_back({kTokenizerName, serialize_tokenizer(*spec)});
  add_unless_empty(baked.files, kTemplateName, spec->chat_template);
  add_source_files(baked.files, origin);
  Result<Tokenizer> tokenizer = Tokenizer::create(*std::move(spec));
  if (!tokenizer) return fail_in("bake the tokenizer", tokenizer.error());
  baked.vocabulary = tokenizer->vocabulary_size();
  baked.tokenizer = *std::move(tokenizer);
  return baked;
}

}  // namespace

Result<BakedTokenizer> bake_tokenizer(const Checkpoint& checkpoint) {
  return std::visit([](const auto& origin) { return bake_from(origin); }, checkpoint.tokenizer());
}

Result<BakedTokenizer> bake_tokenizer(const TokenizerFiles& files) { return bake_from(files); }

}  // namespace ovenbird
