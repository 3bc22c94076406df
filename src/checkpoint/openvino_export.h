// A directory that optimum-intel exported: an OpenVINO IR, and the texts of the model it was. What
// the graph itself shows is not asked of config.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/mapped_file.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/hugging_face_texts.h"
#include "checkpoint/special_tokens.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// An opened export. Its graph is not yet read, nor checked in any way.
struct OpenvinoExport {
  MappedFile graph;    // openvino_model.xml
  MappedFile weights;  // openvino_model.bin
  ConfigTexts texts;
  ConfigJson json;  // of `texts`
  TokenizerFiles tokenizer;
};

/// What only config.json can tell.
struct ExportFacts {
  std::string architecture;  // model_type
  uint32_t hidden = 0;
  uint32_t context = 0;  // max_position_embeddings
  BosEosTokens tokens;
};

/// Whether the path is to be opened by open_openvino_export(): an openvino_model.xml itself, or a
/// directory that has one and no safetensors (whose numbers are the exact ones).
bool is_openvino_export(const std::filesystem::path& path);

/// `path` as above. Errors: kNotFound (a file that must be there), kInvalidArgument (a bundle),
/// kIo, kCorrupt.
Result<OpenvinoExport> open_openvino_export(const std::filesystem::path& path);

/// Errors: kCorrupt; kUnsupported (not a decoder of text alone), by name.
Result<ExportFacts> read_export_facts(const ConfigJson& json, uint32_t vocabulary);

}  // namespace ovenbird
