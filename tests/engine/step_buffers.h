// The memory of one step graph, owned by a test.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "base/page_memory.h"
#include "bundle/manifest.h"
#include "engine/engine.h"

namespace ovenbird {

/// Buffers of one graph, each on pages of its own that end in bytes nobody may touch. The inputs
/// are those of the tokens 5, 6, ... with nothing in front of them.
class OwnedBuffers {
 public:
  OwnedBuffers(const GraphInfo& graph, const Manifest& manifest) {
    const ModelFacts& model = manifest.model;
    const size_t width = graph.width ? graph.width : 16;
    const size_t past = graph.past ? graph.past : graph.open_past ? 32 : 0;
    const size_t rows = graph.logit_rows ? std::min<size_t>(graph.logit_rows, width) : width;
    const size_t row_bytes =
        size_t{model.kv_heads} * model.head_dim * bytes_of(manifest.cache_type);
    step.input_ids = take<int64_t>(width);
    step.attention_mask = take<int64_t>(past + width);
    step.position_ids = take<int64_t>(width);
    step.logits = take<float>(rows * model.vocabulary);
    const size_t tensors = 2 * size_t{model.layers};
    if (past) step.past = take_stack(tensors, past * row_bytes);
    step.present = take_stack(tensors, width * row_bytes);
    present_bytes = width * row_bytes;
    past_bytes = past * row_bytes;
    for (size_t i = 0; i < width; ++i) {
      step.input_ids[i] = static_cast<int64_t>(5 + i);
      step.position_ids[i] = static_cast<int64_t>(i);
    }
    std::fill_n(step.attention_mask.begin(), past, 0);
    std::fill_n(step.attention_mask.begin() + static_cast<ptrdiff_t>(past), width, 1);
    for (std::byte* tensor : step.past.tensors) std::memset(tensor, 0, past_bytes);
  }

  bool ends_are_untouched() const {
    return std::all_of(ends_.begin(), ends_.end(), [](std::span<const std::byte> end) {
      return std::all_of(end.begin(), end.end(), [](std::byte byte) { return byte == kUntouched; });
    });
  }

  StepBuffers step;
  size_t present_bytes = 0;  // of one tensor
  size_t past_bytes = 0;

 private:
  static constexpr std::byte kUntouched{0xEE};

  TensorStack take_stack(size_t count, size_t tensor_bytes) {
    take<std::byte>(count * tensor_bytes);
    return {pages_.back().bytes(), count, tensor_bytes};
  }

  template <typename T>
  std::span<T> take(size_t count) {
    Result<PageMemory> memory = PageMemory::allocate(count * sizeof(T) + 64, Pages::kShared);
    REQUIRE(memory);
    const std::span<std::byte> bytes = memory->bytes();
    std::fill(bytes.begin(), bytes.end(), kUntouched);
    ends_.push_back(bytes.subspan(count * sizeof(T)));
    pages_.push_back(std::move(*memory));
    return {reinterpret_cast<T*>(bytes.data()), count};
  }

  std::vector<PageMemory> pages_;
  std::vector<std::span<const std::byte>> ends_;
};

}  // namespace ovenbird
