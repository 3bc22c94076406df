// Reads the tokenizer out of a bundle.
#include "client/model_text.h"

#include <algorithm>
#include <utility>

#include "base/mapped_file.h"
#include "bundle/bundle.h"
#include "text/tokenizer_binary.h"
#include "wire/record.h"

namespace ovenbird::client {
namespace {

Result<std::unique_ptr<const Tokenizer>> read_tokenizer(const Bundle& bundle) {
  const auto& files = bundle.manifest().files;
  const bool is_there = std::any_of(
      files.begin(), files.end(), [](const FileInfo& file) { return file.name == kTokenizerName; });
  if (!is_there) return std::unique_ptr<const Tokenizer>();
  const Result<MappedFile> file = MappedFile::open(bundle.file(kTokenizerName));
  if (!file) return Failure{file.error()};
  Result<TokenizerSpec> spec = parse_tokenizer(file->bytes());
  if (!spec) return Failure{spec.error()};
  Result<Tokenizer> tokenizer = Tokenizer::create(*std::move(spec));
  if (!tokenizer) return Failure{tokenizer.error()};
  return std::unique_ptr<const Tokenizer>(std::make_unique<const Tokenizer>(*std::move(tokenizer)));
}

/// The model's and the tokenizer's, each once. Errors: kUnsupported (more than a turn can name).
Result<std::vector<int32_t>> all_end_ids(const Manifest& manifest, const Tokenizer* tokenizer) {
  std::vector<int32_t> ids;
  for (const int64_t id : manifest.model.eos_ids) ids.push_back(static_cast<int32_t>(id));
  if (tokenizer) {
    const std::vector<int32_t>& more = tokenizer->spec().end_ids;
    ids.insert(ids.end(), more.begin(), more.end());
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  if (ids.size() <= wire::kEndIdsMax) return ids;
  return fail(Code::kUnsupported, "the model has " + std::to_string(ids.size()) +
                                      " end tokens; at most " + std::to_string(wire::kEndIdsMax) +
                                      " can be used");
}

}  // namespace

Result<ModelText> ModelText::open(const std::string& path) {
  const Result<Bundle> bundle = Bundle::open(path);
  if (!bundle) return Failure{bundle.error()};
  const std::string step = "open tokenizer of " + path;
  ModelText text;
  text.bundle_ = path;
  const Result<std::array<std::byte, 32>> digest = bundle->digest();
  if (!digest) return Failure{digest.error()};
  text.digest_ = *digest;
  Result<std::unique_ptr<const Tokenizer>> tokenizer = read_tokenizer(*bundle);
  if (!tokenizer) return fail_in(step, tokenizer.error());
  text.tokenizer_ = *std::move(tokenizer);
  Result<std::vector<int32_t>> ends = all_end_ids(bundle->manifest(), text.tokenizer());
  if (!ends) return fail_in(step, ends.error());
  text.end_ids_ = *std::move(ends);
  if (!text.tokenizer_ || text.tokenizer_->spec().chat_template.empty()) return text;
  text.chat_.emplace(ChatTemplate::compile(text.tokenizer_->spec().chat_template));
  return text;
}

Status ModelText::has_text(const char* step) const {
  if (tokenizer_) return ok();
  return fail(Code::kNotFound, std::string(step) + ": the bundle " + bundle_ +
                                   " was baked without a tokenizer; use token ids, or bake from a "
                                   "source that has a tokenizer.json");
}

Result<std::vector<int32_t>> ModelText::tokenize(std::string_view text, How how) const {
  if (Status has = has_text("tokenize"); !has) return Failure{has.error()};
  const SpecialText special = how.is_trusted ? SpecialText::kIsToken : SpecialText::kIsText;
  Result<std::vector<int32_t>> ids = tokenizer_->encode(text, special);
  if (ids && how.begins) {
    const std::vector<int32_t>& prefix = tokenizer_->prefix_ids();
    ids->insert(ids->begin(), prefix.begin(), prefix.end());
  }
  return ids;
}

Result<std::string> ModelText::detokenize(std::span<const int32_t> tokens) const {
  if (Status has = has_text("detokenize"); !has) return Failure{has.error()};
  return tokenizer_->decode(tokens, SpecialTokens::kHidden);
}

Result<std::vector<int32_t>> ModelText::chat(const ChatTexts& texts) const {
  if (Status has = has_text("chat"); !has) return Failure{has.error()};
  if (!chat_) {
    return fail(Code::kNotFound,
                "chat: the model in " + bundle_ + " has no chat template; feed it plain text");
  }
  if (!*chat_) return fail_in("chat", chat_->error());
  return encode_chat(*tokenizer_, **chat_, texts);
}

}  // namespace ovenbird::client
