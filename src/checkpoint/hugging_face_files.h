// The safetensors files of a directory, mapped: one, or the shards that an index names.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "checkpoint/stored_tensor.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

struct HuggingFaceFiles {
  std::vector<MappedFile> files;
  std::vector<StoredTensor> tensors;  // of all files; no name twice
};

/// model.safetensors if there is one, else what model.safetensors.index.json names. An index can
/// name only files beside itself. Errors: kNotFound, kIo, kCorrupt, kUnsupported.
Result<HuggingFaceFiles> open_safetensors(const std::filesystem::path& directory);

/// A small file as text, "" if there is none. Errors: kIo; kCorrupt (more than `bytes_max`).
Result<std::string> read_text(const std::filesystem::path& path, size_t bytes_max);

}  // namespace ovenbird
