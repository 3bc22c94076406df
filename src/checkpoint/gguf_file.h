// A GGUF file (versions 2 and 3) taken apart: metadata and tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "checkpoint/gguf_metadata.h"
#include "checkpoint/stored_tensor.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

struct GgufFile {
  uint32_t version = 0;
  GgufMetadata metadata;
  std::vector<StoredTensor> tensors;  // in the file's order; none overlap
};

/// Takes a whole file apart. `bytes` must outlive the result, which points into it.
/// Errors: kCorrupt; kUnsupported (version 1, big-endian files, split files, a tensor type).
Result<GgufFile> read_gguf(std::span<const std::byte> bytes);

/// Null if there is none of that name.
const StoredTensor* find_tensor(const GgufFile& file, std::string_view name);

/// True if the file begins as every GGUF does.
bool is_gguf(std::span<const std::byte> bytes);

}  // namespace ovenbird
