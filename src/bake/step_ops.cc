// What every step graph is made with, whatever its source: ports, the cache, attention over it.
#include "bake/step_ops.h"

#include <limits>
#include <utility>

namespace ovenbird {

ov::Dimension StepOps::width_dimension() const {
  if (!shape_.open_width) return shape_.width;
  return shape_.width == 0 ? ov::Dimension::dynamic() : ov::Dimension(1, shape_.width);
}

ov::Dimension StepOps::past_dimension() const {
  if (!shape_.open_past) return shape_.past;
  return shape_.past == 0 ? ov::Dimension::dynamic() : ov::Dimension(0, shape_.past);
}

Value StepOps::add_parameter(const std::string& name, ov::element::Type type,
                             ov::PartialShape shape) {
  auto parameter = std::make_shared<op::Parameter>(type, std::move(shape));
  parameter->set_friendly_name(name);
  parameter->output(0).set_names({name});
  parameters_.push_back(parameter);
  return parameter->output(0);
}

void StepOps::add_result(const Value& value, const std::string& name) {
  auto result = std::make_shared<op::Result>(value);
  result->set_friendly_name(name);
  result->output(0).set_names({name});
  results_.push_back(result);
}

void StepOps::add_present(size_t layer, const KeyValue& fresh) {
  const std::string prefix = "present." + std::to_string(layer);
  add_result(to_cache(fresh.key), prefix + ".key");
  add_result(to_cache(fresh.value), prefix + ".value");
}

ov::element::Type StepOps::cache_element() const {
  return cache_.type == CacheType::kF16 ? ov::element::f16 : ov::element::f32;
}

Value StepOps::to_cache(const Value& rows) const {
  if (rows.get_element_type() == cache_element()) return rows;
  return make<op::Convert>(rows, cache_element());
}

Value StepOps::scale(const Value& value, float factor) const {
  return factor == 1.0f ? value : make<op::Multiply>(value, number(factor));
}

Value StepOps::soft_cap(const Value& value, float cap) const {
  return cap == 0.0f ? value : scale(make<op::Tanh>(scale(value, 1.0f / cap)), cap);
}

Value StepOps::mix(size_t layer, const Value& query, const KeyValue& fresh,
                   const AttentionMasks& masks, float cap) {
  if (!shape_.has_past()) return mix_whole(query, fresh, masks.fresh, cap);
  const std::string prefix = "past_key_values." + std::to_string(layer);
  const ov::PartialShape rows{1, cache_.kv_heads, past_dimension(), cache_.head_dim};
  const Value past_key = to_f32(add_parameter(prefix + ".key", cache_element(), rows));
  const Value past_value = to_f32(add_parameter(prefix + ".value", cache_element(), rows));
  if (is_wide()) {
    return mix_whole(query,
                     {make<op::Concat>(ov::OutputVector{past_key, fresh.key}, 2),
                      make<op::Concat>(ov::OutputVector{past_value, fresh.value}, 2)},
                     masks.all, cap);
  }
  return mix_apart(query, {past_key, past_value}, fresh, masks, cap);
}

Value StepOps::score(const Value& query, const Value& key, float cap) const {
  return soft_cap(make<op::MatMul>(query, key, false, true), cap);
}

Value StepOps::mix_whole(const Value& query, const KeyValue& rows, const Value& hidden,
                         float cap) const {
  const Value scores = make<op::Add>(score(query, rows.key, cap), hidden);
  return make<op::MatMul>(make<op::Softmax>(scores, 3), rows.value, false, false);
}

Value StepOps::mix_apart(const Value& query, const KeyValue& past, const KeyValue& fresh,
                         const AttentionMasks& masks, float cap) const {
  Value new_scores = score(query, fresh.key, cap);
  if (masks.fresh.get_node()) new_scores = make<op::Add>(new_scores, masks.fresh);
  const Value past_scores = make<op::Add>(score(query, past.key, cap), masks.past);
  const Value weights =
      make<op::Softmax>(make<op::Concat>(ov::OutputVector{past_scores, new_scores}, 3), 3);
  const ov::OutputVector parts = split(weights, 3, masks.past_and_rest);
  return make<op::Add>(make<op::MatMul>(parts[0], past.value, false, false),
                       make<op::MatMul>(parts[1], fresh.value, false, false));
}

bool StepOps::cuts_rows() const {
  return shape_.logit_rows > 0 && (shape_.open_width || shape_.logit_rows < shape_.width);
}

Value StepOps::last_rows(const Value& rows) const {
  return make<op::Slice>(rows, integers({-int64_t{shape_.logit_rows}}),
                         integers({std::numeric_limits<int32_t>::max()}), integers({1}),
                         integers({1}));
}

}  // namespace ovenbird
