// Where a stateless exported decoder attends: one ScaledDotProductAttention a layer, over keys and
// values that are joined to the cache's.
#pragma once

#include <cstdint>
#include <memory>
#include <openvino/core/model.hpp>
#include <vector>

#include "bake/graph_ops.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// The attention of one layer. H query heads, Hkv of keys and values, W new rows.
struct ImportedAttention {
  std::shared_ptr<ov::Node> node;  // gives [1, H, W, D]
  Value query;                     // [1, H, W, D]
  Value new_key;                   // [1, Hkv, W, D], rotated
  Value new_value;                 // [1, Hkv, W, D]
  Value mask;
  float scale = 1.0f;  // of query key^T
};

struct ImportedAttentions {
  std::vector<ImportedAttention> layers;
  uint32_t heads = 0;
  uint32_t kv_heads = 0;
  uint32_t head_dim = 0;
};

/// `model` has its cache as inputs past_key_values.N.key|value and outputs present.N.key|value.
/// Errors: kUnsupported: attention that is written in another way, naming the layer.
Result<ImportedAttentions> find_attentions(const ov::Model& model);

/// The parameter or result of that name; null if there is none.
std::shared_ptr<op::Parameter> find_parameter(const ov::Model& model, const std::string& name);
std::shared_ptr<op::Result> find_result(const ov::Model& model, const std::string& name);

}  // namespace ovenbird
