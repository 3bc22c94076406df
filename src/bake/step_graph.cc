// The decoder graph, in plain opset13 operations, in the order of the computation.
//
// Two choices that matter. Grouped-query attention folds the query heads of one key head into rows,
// [1, kv_heads, G * W, D], so that keys and values are never repeated. In narrow graphs past and
// new keys are scored apart and meet only in the softmax, so that the cache is read and never
// copied.
#include "bake/step_graph.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "bake/attention_masks.h"
#include "bake/graph_ops.h"
#include "bake/rotary_ops.h"
#include "bake/step_ops.h"
#include "bake/weight_ops.h"
#include "bake/weights_writer.h"

namespace ovenbird {
namespace {

class StepGraphBuilder : StepOps {
 public:
  StepGraphBuilder(const GraphSource& source, const StepShape& shape)
      : StepOps(shape, {.kv_heads = source.config.kv_heads,
                        .head_dim = source.config.head_dim,
                        .type = source.cache_type}),
        source_(source),
        config_(source.config),
        weights_(*this, source.stored, source.weights) {}

  std::shared_ptr<ov::Model> build() {
    make_inputs();
    make_masks();
    make_rotations();
    Value rows = scale(weights_.look_up(ids_, "embedding", width()), config_.embedding_scale);
    for (uint32_t layer = 0; layer < config_.layers; ++layer) rows = decode(layer, rows);
    add_result(logits(rows), "logits");
    std::rotate(results_.begin(), results_.end() - 1, results_.end());  // logits come first
    return std::make_shared<ov::Model>(results_, parameters_, "step_graph");
  }

  std::shared_ptr<ov::Model> build_layer(uint32_t layer, LayerOutputs outputs) {
    make_inputs();
    make_masks();
    make_rotations();
    const Value hidden =
        add_parameter("hidden", ov::element::f32, {1, width_dimension(), config_.hidden});
    const Value decoded = decode(layer, hidden);
    results_.clear();  // new keys and values: nobody asks for them
    if (outputs == LayerOutputs::kDecoded) {
      add_result(decoded, "decoded");
    } else {
      for (const auto& [name, rows] : multiplied_) {
        add_result(make<op::MatMul>(rows, rows, true, false), name);
      }
    }
    return std::make_shared<ov::Model>(results_, parameters_, "layer");
  }

 private:
  // --- inputs and outputs

  void make_inputs() {
    const ov::Dimension columns = past_dimension() + width_dimension();
    ids_ = add_parameter("input_ids", ov::element::i64, {1, width_dimension()});
    mask_ = add_parameter("attention_mask", ov::element::i64, {1, columns});
    positions_ = add_parameter("position_ids", ov::element::i64, {1, width_dimension()});
  }

  /// Whether the graph reaches further than the model's window.
  bool hides_by_window() const {
    if (config_.window == 0) return false;
    return !has_positions_bound() || shape_.width == 0 ||
           config_.window < shape_.past + shape_.width;
  }

  void make_rotations() {
    for (const LayerRope rope : {LayerRope::kGlobal, LayerRope::kLocal}) {
      if (!config_.has_layer_with(rope)) continue;
      rotation_[rope] = make_rotation(*this, weights_, source_, rope, shape_, positions_);
    }
  }

  void make_masks() {
    const auto masks_for = [&](uint32_t window) {
      return make_attention_masks(*this, shape_,
                                  {.attention_mask = mask_,
                                   .position_ids = positions_,
                                   .query_heads_per_key_head = config_.heads / config_.kv_heads,
                                   .joins_keys = is_wide(),
                                   .window = window});
    };
    masks_ = masks_for(0);
    sliding_masks_ = hides_by_window() ? masks_for(config_.window) : masks_;
  }

  // --- the layers

  Value multiply(const Value& rows, const std::string& name) {
    multiplied_[name] = rows;
    return weights_.linear(rows, name);
  }

  /// The norm if the model has it, else `rows`.
  Value norm(const Value& rows, const std::string& name) const {
    return weights_.has(name) ? weights_.rms_norm(rows, name, config_.rms_epsilon) : rows;
  }

  Value decode(uint32_t layer, const Value& rows) {
    const auto name = [&](const char* part) { return layer_name(layer, part); };
    const auto add = [&](const Value& to, const Value& branch, const char* post_norm) {
      return make<op::Add>(to, scale(norm(branch, name(post_norm)), config_.residual_scale));
    };
    const Value attended = attend(layer, norm(rows, name("attention_norm")));
    const Value middle = add(rows, attended, "attention_post_norm");
    return add(middle, mlp(layer, norm(middle, name("mlp_norm"))), "mlp_post_norm");
  }

  Value activate(const Value& gate) const {
    if (config_.activation == Activation::kSilu) return make<op::Swish>(gate);
    return make<op::Gelu>(gate, ov::op::GeluApproximationMode::TANH);
  }

  Value mlp(uint32_t layer, const Value& rows) {
    const bool has_experts = config_.layer(layer).has_experts;
    const int64_t size =
        has_experts ? int64_t{config_.experts} * config_.expert_intermediate : config_.intermediate;
    const Value gate_up = multiply(rows, layer_name(layer, "gate_up"));
    const ov::OutputVector parts = split(gate_up, 2, integers({size, size}));
    Value activated = make<op::Multiply>(activate(parts[0]), parts[1]);
    if (has_experts) activated = weigh_experts(layer, rows, activated);
    return multiply(activated, layer_name(layer, "down"));
  }

  /// All experts are computed, and those that the router did not choose count nothing: a graph of
  /// fixed shape cannot leave them out. activated: [1, W, experts * size].
  Value weigh_experts(uint32_t layer, const Value& rows, const Value& activated) {
    const int64_t experts = config_.experts;
    const int64_t size = config_.expert_intermediate;
    const Value shares =
        make<op::Softmax>(multiply(rows, layer_name(layer, "router")), 2);  // [1, W, E]
    const auto best =
        std::make_shared<op::TopK>(shares, integer(config_.experts_per_token), 2,
                                   ov::op::TopKMode::MAX, ov::op::TopKSortType::SORT_VALUES);
    const Value least = make<op::ReduceMin>(best->output(0), integers({2}), true);
    Value chosen = make<op::Multiply>(shares, to_f32(make<op::GreaterEqual>(shares, least)));
    if (config_.normalizes_experts) {
      chosen = make<op::Divide>(chosen, make<op::ReduceSum>(chosen, integers({2}), true));
    }
    const Value apart = reshape(activated, {1, width(), experts, size});
    const Value weighed = make<op::Multiply>(apart, make<op::Unsqueeze>(chosen, integers({3})));
    return reshape(weighed, {1, width(), experts * size});
  }

  /// rows [1, W, hidden], normed -> [1, W, hidden].
  Value attend(uint32_t layer, const Value& rows) {
    const int64_t size = config_.head_dim;
    const int64_t heads = config_.heads;
    const int64_t kv_heads = config_.kv_heads;
    const Value projected = norm_projections(layer, multiply(rows, layer_name(layer, "qkv")));
    const Value all_heads = make<op::Transpose>(
        reshape(projected, {1, width(), heads + 2 * kv_heads, size}), integers({0, 2, 1, 3}));
    const ov::OutputVector parts = split(all_heads, 1, integers({heads + kv_heads, kv_heads}));
    Value query_key = norm(parts[0], layer_name(layer, "qk_norm"));  // both at once
    const Value value = parts[1];
    const LayerRope rope = config_.layer(layer).rope;
    if (rope != LayerRope::kNone) {
      query_key = rotate(*this, query_key, rotation_.at(rope), config_);
    }
    const ov::OutputVector rotated = split(query_key, 1, integers({heads, kv_heads}));
    const Value key = rotated[1];
    const Value query = reshape(make<op::Multiply>(rotated[0], number(attention_scale())),
                                {1, kv_heads, shape_.open_width ? -1 : width() * heads / kv_heads,
                                 size});  // [1, kv_heads, G * W, D]
    add_present(layer, {key, value});

    const AttentionMasks& masks = config_.layer(layer).slides ? sliding_masks_ : masks_;
    const Value mixed = reshape(mix(layer, query, {key, value}, masks, config_.attention_soft_cap),
                                {1, heads, width(), size});
    const Value joined =
        reshape(make<op::Transpose>(mixed, integers({0, 2, 1, 3})), {1, width(), heads * size});
    return multiply(joined, layer_name(layer, "output"));
  }

  /// Norms over all heads of queries, and of keys, as one row.
  Value norm_projections(uint32_t layer, const Value& projected) const {
    if (config_.query_key_norm != QueryKeyNorm::kAllHeads) return projected;
    const int64_t query = int64_t{config_.heads} * config_.head_dim;
    const int64_t key = int64_t{config_.kv_heads} * config_.head_dim;
    const ov::OutputVector parts = split(projected, 2, integers({query, key, key}));
    return make<op::Concat>(
        ov::OutputVector{norm(parts[0], layer_name(layer, "query_norm")),
                         norm(parts[1], layer_name(layer, "key_norm")), parts[2]},
        2);
  }

  float attention_scale() const {
    if (config_.attention_scale != 0) return config_.attention_scale;
    return 1.0f / std::sqrt(static_cast<float>(config_.head_dim));
  }

  Value logits(Value rows) {
    if (cuts_rows()) rows = last_rows(rows);
    const Value scores =
        multiply(norm(rows, "final_norm"), config_.tied_head ? "embedding" : "head");
    return soft_cap(scale(scores, config_.logit_scale), config_.logit_soft_cap);
  }

  const GraphSource& source_;
  const ModelConfig& config_;
  const WeightOps weights_;
  Value ids_, mask_, positions_;
  AttentionMasks masks_, sliding_masks_;
  std::map<LayerRope, Rotation> rotation_;
  std::map<std::string, Value> multiplied_;  // what each matrix is multiplied by
};

}  // namespace

std::shared_ptr<ov::Model> build_step_graph(const GraphSource& source, const StepShape& shape) {
  return StepGraphBuilder(source, shape).build();
}

std::shared_ptr<ov::Model> build_layer_graph(const GraphSource& source, uint32_t layer,
                                             uint32_t width, LayerOutputs outputs) {
  const StepShape shape{.width = width};
  return StepGraphBuilder(source, shape).build_layer(layer, outputs);
}

}  // namespace ovenbird
