// Finding and reading a tokenizer: a bundle's binary one, or Hugging Face's files.
#include "open_tokenizer.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/mapped_file.h"
#include "source.h"
#include "text/tokenizer_binary.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

/// A small file as text; empty if there is none. Errors: kIo.
Result<std::string> text_of(const fs::path& path) {
  const Result<MappedFile> file = MappedFile::open(path);
  if (!file && file.error().code == Code::kNotFound) return std::string();
  if (!file) return Failure{file.error()};
  const auto bytes = file->bytes();
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

Result<TokenizerSpec> read_binary(const fs::path& path) {
  const Result<MappedFile> file = MappedFile::open(path);
  if (!file) return Failure{file.error()};
  return parse_tokenizer(file->bytes());
}

Result<TokenizerSpec> read_json(const fs::path& directory) {
  const Result<std::string> tokenizer = text_of(directory / "tokenizer.json");
  if (!tokenizer) return Failure{tokenizer.error()};
  const Result<std::string> config = text_of(directory / "tokenizer_config.json");
  if (!config) return Failure{config.error()};
  Result<std::string> chat = text_of(directory / "chat_template.jinja");
  if (!chat) return Failure{chat.error()};
  Result<TokenizerSpec> spec = tokenizer_spec_from_json(*tokenizer, *config);
  if (spec && !chat->empty()) spec->chat_template = *std::move(chat);
  return spec;
}

Result<Tokenizer> create(const fs::path& from, Result<TokenizerSpec> spec) {
  if (!spec) return fail_in("open tokenizer " + from.string(), spec.error());
  Result<Tokenizer> tokenizer = Tokenizer::create(*std::move(spec));
  if (!tokenizer) return fail_in("open tokenizer " + from.string(), tokenizer.error());
  return tokenizer;
}

Result<Tokenizer> open_other(const std::string& name) {
  const Result<Source> source = find_source(name);
  if (!source) return fail_in("open tokenizer", source.error());
  std::error_code error;
  if (fs::exists(source->path / kTokenizerName, error)) {
    return create(source->path, read_binary(source->path / kTokenizerName));
  }
  if (fs::exists(source->path / "tokenizer.json", error)) {
    return create(source->path, read_json(source->path));
  }
  return fail(Code::kNotFound, "open tokenizer " + source->path.string() +
                                   ": no tokenizer.json there; name a directory that has one, or "
                                   "a bundle");
}

}  // namespace

Result<Tokenizer> open_tokenizer(const Bundle& bundle, const std::optional<std::string>& other) {
  if (other) return open_other(*other);
  const auto is_tokenizer = [](const FileInfo& file) { return file.name == kTokenizerName; };
  const auto& files = bundle.manifest().files;
  if (std::none_of(files.begin(), files.end(), is_tokenizer)) {
    return fail(Code::kNotFound, "open tokenizer of " + bundle.directory().string() +
                                     ": the bundle was baked without one; give --ids, or bake from "
                                     "a source that has a tokenizer.json");
  }
  return create(bundle.directory(), read_binary(bundle.file(kTokenizerName)));
}

}  // namespace ovenbird
