// The decoder as a step graph: W new rows over P past rows. One builder for every width and past.
#pragma once

#include <cstdint>
#include <memory>
#include <openvino/core/model.hpp>
#include <span>

#include "bake/stored_weights.h"
#include "bundle/manifest.h"
#include "checkpoint/model_config.h"

namespace ovenbird {

/// Which of the step graphs to build.
struct StepShape {
  uint32_t width = 1;  // W; the most rows if open_width, 0 = without a bound
  bool open_width = false;
  uint32_t past = 0;  // P; the most rows if open_past, 0 = without a bound; if neither is
                      // set, the graph has no cache inputs at all
  bool open_past = false;
  uint32_t logit_rows = 0;  // logits of the last so many rows only; 0 = all rows

  bool has_past() const { return past > 0 || open_past; }
};

/// Everything that step graphs of one bundle share. The bytes must outlive the models.
struct GraphSource {
  const ModelConfig& config;
  const StoredWeights& stored;
  std::span<const std::byte> weights;  // the weights file, mapped
  CacheType cache_type = CacheType::kF16;
};

/// Builds one step graph. Inputs, in this order:
///   input_ids               i64 [1, W]
///   attention_mask          i64 [1, P + W]      1 = may be seen; causality among the new rows is
///                                               added here, and every row sees itself
///   position_ids            i64 [1, W]
///   past_key_values.N.key   cache type [1, kv_heads, P, head_dim], keys already rotated; row r is
///                           position r (only models with sliding windows rely on that)
///   past_key_values.N.value cache type [1, kv_heads, P, head_dim]
/// Outputs: logits f32 [1, rows, vocabulary]; present.N.key, present.N.value, the cache type,
/// [1, kv_heads, W, head_dim]: the new rows only.
/// Rotary angles of graphs with a bound come from tables in the weights file (see rotary_ops.h), so
/// that no device computes a sine of a large number in f16.
/// Constants that are weights carry their blob's name and point into `source.weights`.
std::shared_ptr<ov::Model> build_step_graph(const GraphSource& source, const StepShape& shape);

enum class LayerOutputs { kDecoded, kGrams };

/// Builds one decoder layer over W rows and no past, of any positions; `source` needs to hold no
/// other layer's weights and no rotary tables. Inputs: the first three of a step graph, and
///   hidden    f32 [1, W, hidden]
/// Outputs: kDecoded,
///   decoded   f32 [1, W, hidden]
/// or kGrams, for each matrix or group of matrices, under its name ("layers.0.qkv"),
///             f32 [1, columns, columns], X^T X of the rows X that it is multiplied by.
std::shared_ptr<ov::Model> build_layer_graph(const GraphSource& source, uint32_t layer,
                                             uint32_t width, LayerOutputs outputs);

}  // namespace ovenbird
