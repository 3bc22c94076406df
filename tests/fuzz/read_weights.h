// What a bake does with an opened checkpoint's weights: it reads every row of every one.
#pragma once

#include <cmath>
#include <vector>

#include "base/check.h"
#include "checkpoint/checkpoint.h"

namespace ovenbird {

inline void read_every_row(const Tensor& tensor) {
  std::vector<float> numbers(tensor.columns);
  for (uint64_t row = 0; row < tensor.rows; ++row) {
    dequantize(tensor.type, tensor.row(row), numbers);
  }
}

/// The ropes of all layers, for the shortest and the longest conversation.
inline void check_ropes(const ModelConfig& config) {
  const bool has_local = config.has_layer_with(LayerRope::kLocal);
  for (const Rope* of_layers : {&config.rope, has_local ? &config.local_rope : &config.rope}) {
    for (const uint32_t context : {1U, config.context}) {
      const Rope rope = rope_for_context(*of_layers, context);
      const std::vector<double> frequencies = rope_frequencies(rope, config.rotary_dim);
      OVENBIRD_CHECK(frequencies.size() == config.rotary_dim / 2);
      for (const double frequency : frequencies) OVENBIRD_CHECK(std::isfinite(frequency));
    }
  }
}

}  // namespace ovenbird
