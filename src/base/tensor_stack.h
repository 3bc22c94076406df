// Tensors of one size in one block of memory.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace ovenbird {

/// Tensors one behind another, from the start of a block of whole pages, which a device may take
/// over at once. Owned by the caller.
struct TensorStack {
  std::span<std::byte> pages;       // page-aligned; no one else uses any of them
  std::vector<std::byte*> tensors;  // evenly spaced; the first is at the front

  TensorStack() = default;
  TensorStack(std::span<std::byte> block, size_t count, size_t tensor_bytes) : pages(block) {
    for (size_t index = 0; index < count; ++index) {
      tensors.push_back(block.data() + index * tensor_bytes);
    }
  }
};

}  // namespace ovenbird
