// From each attention back to the cache: keys and values may be repeated for groups of query heads,
// and nothing else may stand between.
#include "bake/import_attention.h"

#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/limits.h"
#include "base/message_text.h"

namespace ovenbird {
namespace {

using Node = std::shared_ptr<ov::Node>;

Failure refuse(const Node& attention, const std::string& why) {
  return fail(Code::kUnsupported,
              "attention " + in_quotes(attention->get_friendly_name()) + ": " + why);
}

std::optional<int64_t> single_number(const Value& value) {
  const auto constant = ov::as_type_ptr<op::Constant>(value.get_node_shared_ptr());
  if (!constant || ov::shape_size(constant->get_shape()) != 1) return std::nullopt;
  return constant->cast_vector<int64_t>()[0];
}

/// Behind the repetition of [1, Hkv, S, D] to [1, H, S, D], head by head: Unsqueeze at 2,
/// Broadcast, Reshape. Whatever else stands there is not passed.
Value behind_repetition(const Value& value) {
  const Node reshape = value.get_node_shared_ptr();
  if (!ov::is_type<op::Reshape>(reshape)) return value;
  const Node broadcast = reshape->get_input_node_shared_ptr(0);
  if (!ov::is_type<op::Broadcast>(broadcast)) return value;
  const Node unsqueeze = broadcast->get_input_node_shared_ptr(0);
  if (!ov::is_type<op::Unsqueeze>(unsqueeze)) return value;
  const std::optional<int64_t> axis = single_number(unsqueeze->input_value(1));
  return axis == 2 || axis == -3 ? unsqueeze->input_value(0) : value;
}

/// The cache's input behind a selection of beams.
std::shared_ptr<op::Parameter> cache_behind(const Value& value) {
  Node node = value.get_node_shared_ptr();
  if (ov::is_type<op::Gather>(node)) node = node->get_input_node_shared_ptr(0);
  return ov::as_type_ptr<op::Parameter>(node);
}

/// "past_key_values.N.PART" -> N.
std::optional<uint32_t> layer_of(const ov::Node& parameter, const std::string& part) {
  for (const std::string& name : parameter.output(0).get_names()) {
    for (uint32_t layer = 0; layer < limits::kLayersMax; ++layer) {
      if (name == "past_key_values." + std::to_string(layer) + part) return layer;
    }
  }
  return std::nullopt;
}

struct JoinedRows {
  Value fresh;
  uint32_t layer = 0;
  uint32_t heads = 0;
  uint32_t head_dim = 0;
};

/// The new rows that are joined to a cache, from one input of an attention.
std::optional<JoinedRows> joined_rows(const ov::Model& model, const Value& input,
                                      const std::string& part) {
  const auto joined = ov::as_type_ptr<op::Concat>(behind_repetition(input).get_node_shared_ptr());
  if (!joined || joined->get_input_size() != 2) return std::nullopt;
  const int64_t axis = joined->get_axis();
  if (axis != 2 && axis != -2) return std::nullopt;
  const auto cache = cache_behind(joined->input_value(0));
  if (!cache) return std::nullopt;
  const std::optional<uint32_t> layer = layer_of(*cache, part);
  if (!layer) return std::nullopt;
  const auto present = find_result(model, "present." + std::to_string(*layer) + part);
  if (!present || present->get_input_node_ptr(0) != joined.get()) return std::nullopt;
  const ov::PartialShape& shape = cache->get_partial_shape();
  if (shape.rank() != 4 || shape[1].is_dynamic() || shape[3].is_dynamic()) return std::nullopt;
  const auto heads = shape[1].get_length();
  const auto head_dim = shape[3].get_length();
  if (heads < 1 || head_dim < 1 || heads > limits::kHiddenMax || head_dim > limits::kHiddenMax) {
    return std::nullopt;
  }
  return JoinedRows{.fresh = joined->input_value(1),
                    .layer = *layer,
                    .heads = static_cast<uint32_t>(heads),
                    .head_dim = static_cast<uint32_t>(head_dim)};
}

Result<float> scale_of(const Node& node, uint32_t head_dim) {
  if (node->get_input_size() < 5) return 1.0f / std::sqrt(static_cast<float>(head_dim));
  Node source = node->get_input_node_shared_ptr(4);
  if (ov::is_type<op::Convert>(source)) source = source->get_input_node_shared_ptr(0);  // of f16
  const auto constant = ov::as_type_ptr<op::Constant>(source);
  if (!constant || ov::shape_size(constant->get_shape()) != 1) {
    return refuse(node, "its scale is no constant");
  }
  return constant->cast_vector<float>()[0];
}

class AttentionFinder {
 public:
  explicit AttentionFinder(const ov::Model& model) : model_(model) {}

  Result<ImportedAttentions> find() {
    for (const Node& node : model_.get_ordered_ops()) {
      if (!ov::is_type<op::ScaledDotProductAttention>(node)) continue;
      if (Status added = add(node); !added) return Failure{added.error()};
    }
    if (layers_.empty()) {
      return fail(
          Code::kUnsupported,
          "it has no ScaledDotProductAttention: export it again with a newer optimum-intel");
    }
    for (auto& [layer, attention] : layers_) {
      if (layer != found_.layers.size()) {
        return fail(Code::kUnsupported, "layer " + std::to_string(found_.layers.size()) +
                                            " of the cache has no attention");
      }
      found_.layers.push_back(std::move(attention));
    }
    return std::move(found_);
  }

 private:
  Status add(const Node& node) {
    const auto& attention = static_cast<const op::ScaledDotProductAttention&>(*node);
    if (attention.get_causal() || node->get_input_size() < 4 || node->get_input_size() > 5) {
      return refuse(node, "it has no mask as its fourth input, or more than a scale behind it");
    }
    const auto key = joined_rows(model_, node->input_value(1), ".key");
    const auto value = joined_rows(model_, node->input_value(2), ".value");
    if (!key || !value || key->layer != value->layer) {
      return refuse(node,
                    "its keys and values are not a layer's cache [1, heads, rows, size] "
                    "joined with the new rows");
    }
    const ov::PartialShape& query = node->get_input_partial_shape(0);
    if (query.rank() != 4 || query[1].is_dynamic() || query[1].get_length() < 1 ||
        query[1].get_length() > limits::kHiddenMax || query[3] != key->head_dim) {
      return refuse(node, "the shape of its queries is not known");
    }
    const ImportedAttentions one{.heads = static_cast<uint32_t>(query[1].get_length()),
                                 .kv_heads = key->heads,
                                 .head_dim = key->head_dim};
    if (Status same = check_same(node, one, *value); !same) return same;
    const Result<float> scale = scale_of(node, key->head_dim);
    if (!scale) return Failure{scale.error()};
    const bool is_new =
        layers_
            .try_emplace(key->layer, ImportedAttention{.node = node,
                                                       .query = node->input_value(0),
                                                       .new_key = key->fresh,
                                                       .new_value = value->fresh,
                                                       .mask = node->input_value(3),
                                                       .scale = *scale})
            .second;
    return is_new ? ok() : refuse(node, "a second one over the same cache");
  }

  /// All layers have one shape of cache.
  Status check_same(const Node& node, const ImportedAttentions& one, const JoinedRows& value) {
    if (value.heads != one.kv_heads || value.head_dim != one.head_dim) {
      return refuse(node, "its keys and values differ in shape");
    }
    if (one.heads % one.kv_heads != 0 || one.head_dim % 2 != 0) {
      return refuse(node, std::to_string(one.heads) + " query heads over " +
                              std::to_string(one.kv_heads) + " of keys, of " +
                              std::to_string(one.head_dim) + " numbers");
    }
    if (layers_.empty()) {
      found_.heads = one.heads;
      found_.kv_heads = one.kv_heads;
      found_.head_dim = one.head_dim;
    }
    const bool same = found_.heads == one.heads && found_.kv_heads == one.kv_heads &&
                      found_.head_dim == one.head_dim;
    return same ? ok() : refuse(node, "its heads differ from those of other layers");
  }

  const ov::Model& model_;
  ImportedAttentions found_;
  std::map<uint32_t, ImportedAttention> layers_;
};

}  // namespace

std::shared_ptr<op::Parameter> find_parameter(const ov::Model& model, const std::string& name) {
  for (const std::shared_ptr<op::Parameter>& parameter : model.get_parameters()) {
    if (parameter->output(0).get_names().contains(name)) return parameter;
  }
  return nullptr;
}

std::shared_ptr<op::Result> find_result(const ov::Model& model, const std::string& name) {
  for (const std::shared_ptr<op::Result>& result : model.get_results()) {
    if (result->output(0).get_names().contains(name)) return result;
  }
  return nullptr;
}

Result<ImportedAttentions> find_attentions(const ov::Model& model) {
  return AttentionFinder(model).find();
}

}  // namespace ovenbird
