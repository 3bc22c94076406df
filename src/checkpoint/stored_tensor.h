// A tensor as a file's header describes it, before anything is known about its part in a model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"

namespace ovenbird {

/// `bytes` lies inside the file and is exactly as long as shape and type say; the last dimension is
/// a whole number of blocks.
struct StoredTensor {
  std::string name;
  ElementType type = ElementType::kF32;
  std::vector<uint64_t> shape;  // slowest first; rank at most limits::kTensorRankMax
  std::span<const std::byte> bytes;
};

/// Bytes of a tensor; nothing if the last dimension is no whole number of blocks or the size does
/// not fit 64 bits.
std::optional<uint64_t> stored_bytes(ElementType type, const std::vector<uint64_t>& shape);

/// Names reach messages, file tables and tensors of the IR: 1 to limits::kTensorNameBytesMax bytes,
/// no control bytes.
bool is_tensor_name(std::string_view name);

}  // namespace ovenbird
