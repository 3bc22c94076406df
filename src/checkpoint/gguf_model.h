// What a GGUF's metadata says about the model and its tokenizer.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/gguf_vocabulary.h"
#include "checkpoint/gguf_file.h"
#include "checkpoint/model_config.h"
#include "checkpoint/weight_table.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// All that one GGUF file holds. The weights point into its bytes.
struct GgufModel {
  std::string title;  // "GGUF v3, SmolLM2 135M Instruct"
  ModelConfig config;
  GgufVocabulary vocabulary;
  WeightTable weights;
};

/// Takes a whole file apart; `bytes` must outlive the result.
/// Errors: kCorrupt; kUnsupported (by name).
Result<GgufModel> read_gguf_model(std::span<const std::byte> bytes);

// Its parts.

/// Errors: kUnsupported (by name), kCorrupt.
Result<Architecture> gguf_architecture(GgufMetadata& metadata);

/// Errors: kUnsupported (architecture, rope scaling, experts, ... by name), kCorrupt.
Result<ModelConfig> gguf_model_config(GgufFile& file, const GgufVocabulary& vocabulary);

/// Errors: kUnsupported (tokenizer model), kCorrupt (no tokens, lists of different lengths).
Result<GgufVocabulary> gguf_vocabulary(GgufMetadata& metadata);

/// What config.json says beside the ModelConfig.
struct ConfigExtras {
  std::string dtype;  // "float16", "bfloat16", "float32"
  bool attention_bias = false;
  bool mlp_bias = false;
};

/// config.json as transformers would write it for this model.
std::string config_json_of(const ModelConfig& config, const ConfigExtras& extras);

/// generation_config.json, likewise.
std::string generation_config_json_of(const ModelConfig& config);

}  // namespace ovenbird
