// Rotary position embedding in a step graph.
#include "bake/rotary_ops.h"

#include <vector>

#include "base/check.h"

namespace ovenbird {
namespace {

Value both_halves(const GraphOps& ops, const Value& half) {
  const Value whole = make<op::Concat>(ov::OutputVector{half, half}, 2);
  return make<op::Unsqueeze>(whole, ops.integers({1}));
}

/// The angles' cosines and sines, on devices that have f32.
Rotation computed(const GraphOps& ops, const Rope& rope, uint32_t rotary_dim,
                  const Value& position_ids) {
  const std::vector<double> exact = rope_frequencies(rope, rotary_dim);
  const std::vector<float> rounded(exact.begin(), exact.end());
  const Value frequencies = op::Constant::create(ov::element::f32, {1, 1, rounded.size()}, rounded);
  const Value position =
      make<op::Convert>(make<op::Unsqueeze>(position_ids, ops.integers({2})), ov::element::f32);
  const Value angles = make<op::Multiply>(position, frequencies);
  const auto scaled = [&](const Value& value) {
    const auto factor = static_cast<float>(rope.attention_factor);
    return factor == 1.0f ? value : make<op::Multiply>(value, ops.number(factor));
  };
  return {scaled(make<op::Cos>(angles)), scaled(make<op::Sin>(angles))};
}

}  // namespace

RopeTables rope_tables(LayerRope rope) {
  OVENBIRD_CHECK(rope != LayerRope::kNone);
  if (rope == LayerRope::kLocal) return {"rope.local.cos", "rope.local.sin"};
  return {"rope.cos", "rope.sin"};
}

Rotation make_rotation(const GraphOps& ops, const WeightOps& weights, const GraphSource& source,
                       LayerRope rope, const StepShape& shape, const Value& position_ids) {
  const bool has_bound = !shape.open_past || shape.past > 0;
  Rotation half;
  if (!has_bound || !weights.has(rope_tables(rope).cos)) {
    const ModelConfig& config = source.config;
    const Rope& facts = rope == LayerRope::kLocal ? config.local_rope : config.rope;
    half = computed(ops, facts, config.rotary_dim, position_ids);
  } else {
    const RopeTables tables = rope_tables(rope);
    half.cos = make<op::Gather>(weights.constant(tables.cos), position_ids, ops.integer(0));
    half.sin = make<op::Gather>(weights.constant(tables.sin), position_ids, ops.integer(0));
  }
  return {both_halves(ops, half.cos), both_halves(ops, half.sin)};
}

Value rotate(const GraphOps& ops, const Value& heads, const Rotation& rotation,
             const ModelConfig& config) {
  const int64_t half = config.rotary_dim / 2;
  const int64_t rest = config.head_dim - config.rotary_dim;
  std::vector<int64_t> lengths = {half, half};
  if (rest > 0) lengths.push_back(rest);
  const ov::OutputVector parts = ops.split(heads, 3, ops.integers(lengths));
  const Value rotated =
      rest > 0 ? make<op::Concat>(ov::OutputVector{parts[0], parts[1]}, 3) : heads;
  const Value turned = make<op::Concat>(
      ov::OutputVector{make<op::Multiply>(parts[1], ops.number(-1.0f)), parts[0]}, 3);
  const Value sum = make<op::Add>(make<op::Multiply>(rotated, rotation.cos),
                                  make<op::Multiply>(turned, rotation.sin));
  return rest > 0 ? make<op::Concat>(ov::OutputVector{sum, parts[2]}, 3) : sum;
}

}  // namespace ovenbird
