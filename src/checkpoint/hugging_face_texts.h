// The texts beside a model's weights: its config, and its tokenizer's files.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "checkpoint/checkpoint.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

struct ConfigTexts {
  std::string config;      // config.json
  std::string generation;  // generation_config.json; empty = there is none
};

/// Errors: kNotFound (no config.json), kIo, kCorrupt (too large).
Result<ConfigTexts> read_config_texts(const std::filesystem::path& directory);

struct ConfigJson {
  nlohmann::json config;
  nlohmann::json generation;  // null where there is none
};

/// Errors: kCorrupt, naming the file.
Result<ConfigJson> parse_config_texts(const ConfigTexts& texts);

/// Files that are not there are empty. Errors: kIo, kCorrupt (too large).
Result<TokenizerFiles> read_tokenizer_files(const std::filesystem::path& directory);

}  // namespace ovenbird
