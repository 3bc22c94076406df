// The kinds of source, each with its own reader; open_checkpoint() picks.
#pragma once

#include <filesystem>
#include <memory>

#include "base/mapped_file.h"
#include "checkpoint/checkpoint.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// `file` holds a GGUF, or something else, which is an error. Errors: kCorrupt, kUnsupported.
Result<std::unique_ptr<Checkpoint>> open_gguf(MappedFile file);

/// `directory` holds config.json, *.safetensors and, for text, the tokenizer's files.
/// Errors: kNotFound, kIo, kCorrupt, kUnsupported.
Result<std::unique_ptr<Checkpoint>> open_hugging_face(const std::filesystem::path& directory);

/// The element type that most bytes of the model have, for descriptions.
ElementType main_type(const std::vector<Tensor>& tensors);

}  // namespace ovenbird
