// The header of one .safetensors file.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "checkpoint/stored_tensor.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// Takes a whole file apart; the tensors point into `bytes`, cover its data exactly and do not
/// overlap. Errors: kCorrupt; kUnsupported (an element type, by name).
Result<std::vector<StoredTensor>> read_safetensors(std::span<const std::byte> bytes);

}  // namespace ovenbird
