// What every step graph is made with, whatever its source: ports, the cache, attention over it.
#pragma once

#include <cstdint>
#include <string>

#include "bake/attention_masks.h"
#include "bake/graph_ops.h"
#include "bake/step_graph.h"
#include "bundle/manifest.h"

namespace ovenbird {

/// The cache of one layer, and what its numbers are.
struct CacheFacts {
  uint32_t kv_heads = 0;
  uint32_t head_dim = 0;
  CacheType type = CacheType::kF16;
};

/// Keys and values, each [1, kv_heads, rows, head_dim].
struct KeyValue {
  Value key, value;
};

/// A base of the builders. Collects the graph's parameters and results in their order.
class StepOps : public GraphOps {
 protected:
  /// `shape` must outlive this.
  StepOps(const StepShape& shape, const CacheFacts& cache) : shape_(shape), cache_(cache) {}

  int64_t width() const { return shape_.open_width ? -1 : int64_t{shape_.width}; }
  ov::Dimension width_dimension() const;
  ov::Dimension past_dimension() const;
  /// Whether no step sees a position beyond what is known when the graph is made.
  bool has_positions_bound() const { return !shape_.open_past || shape_.past > 0; }

  Value add_parameter(const std::string& name, ov::element::Type type, ov::PartialShape shape);
  void add_result(const Value& value, const std::string& name);
  void add_present(size_t layer, const KeyValue& fresh);  // the new rows of the cache

  Value scale(const Value& value, float factor) const;
  Value soft_cap(const Value& value, float cap) const;  // cap * tanh(value / cap); 0 = as it is

  /// With many rows the scores are larger than the keys: then the keys are put together instead.
  bool is_wide() const { return !shape_.open_width && shape_.width >= cache_.head_dim / 2; }

  /// Softmax(query key^T) value over past and new rows: [1, kv_heads, G * W, head_dim], as `query`,
  /// which is scaled already. Adds the layer's past as parameters.
  Value mix(size_t layer, const Value& query, const KeyValue& fresh, const AttentionMasks& masks,
            float cap);

  /// Whether only the last rows have logits, and those rows of [1, W, ...].
  bool cuts_rows() const;
  Value last_rows(const Value& rows) const;

  const StepShape& shape_;
  ov::ParameterVector parameters_;
  ov::ResultVector results_;

 private:
  ov::element::Type cache_element() const;
  Value to_cache(const Value& rows) const;
  Value mix_whole(const Value& query, const KeyValue& rows, const Value& hidden, float cap) const;
  Value mix_apart(const Value& query, const KeyValue& past, const KeyValue& fresh,
                  const AttentionMasks& masks, float cap) const;
  Value score(const Value& query, const Value& key, float cap) const;

  const CacheFacts cache_;
};

}  // namespace ovenbird
