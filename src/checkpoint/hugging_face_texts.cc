// Reading them, bounded.
#include "checkpoint/hugging_face_texts.h"

#include <utility>

#include "base/json.h"
#include "base/limits.h"
#include "checkpoint/hugging_face_files.h"

namespace ovenbird {

Result<ConfigTexts> read_config_texts(const std::filesystem::path& directory) {
  auto config = read_text(directory / "config.json", limits::kConfigBytesMax);
  if (!config) return Failure{config.error()};
  if (config->empty()) {
    return fail(
        Code::kNotFound,
        "it has no config.json, or an empty one (give a Hugging Face checkpoint, or a .gguf "
        "file itself)");
  }
  auto generation = read_text(directory / "generation_config.json", limits::kConfigBytesMax);
  if (!generation) return Failure{generation.error()};
  return ConfigTexts{*std::move(config), *std::move(generation)};
}

Result<ConfigJson> parse_config_texts(const ConfigTexts& texts) {
  auto config = parse_json(texts.config, {.bytes_max = limits::kConfigBytesMax});
  if (!config) return fail_in("config.json", config.error());
  ConfigJson json{.config = *std::move(config)};
  if (texts.generation.empty()) return json;
  auto generation = parse_json(texts.generation, {.bytes_max = limits::kConfigBytesMax});
  if (!generation) return fail_in("generation_config.json", generation.error());
  if (!generation->is_object()) {
    return fail(Code::kCorrupt, "generation_config.json is no JSON object");
  }
  json.generation = *std::move(generation);
  return json;
}

Result<TokenizerFiles> read_tokenizer_files(const std::filesystem::path& directory) {
  TokenizerFiles files;
  const std::pair<const char*, std::string*> wanted[] = {
      {"tokenizer.json", &files.tokenizer_json},
      {"tokenizer_config.json", &files.tokenizer_config_json},
      {"chat_template.jinja", &files.chat_template},
  };
  for (const auto& [name, text] : wanted) {
    auto read = read_text(directory / name, limits::kJsonBytesMax);
    if (!read) return Failure{read.error()};
    *text = *std::move(read);
  }
  return files;
}

}  // namespace ovenbird
