// The decoder graph, in plain opset13 operations, in the order of the computation.
//
// Two choices that matter. Grouped-query attention folds the query heads of one key head into rows,
// [1, kv_heads, G * W, D], so that keys and values are never repeated. In narrow graphs past and
// new keys are scored apart and meet only in the softmax, so that the cache is read and never
// copied.
#include "bake/step_graph.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "bake/attention_masks.h"
#include "bake/graph_ops.h"
#include "bake/weights_writer.h"
#include "base/check.h"

namespace ovenbird {
namespace {

ov::element::Type element_of(StoredType type) {
  switch (type) {
    case StoredType::kI4:
      return ov::element::i4;
    case StoredType::kU4:
      return ov::element::u4;
    case StoredType::kI8:
      return ov::element::i8;
    case StoredType::kU8:
      return ov::element::u8;
    case StoredType::kF16:
      return ov::element::f16;
    case StoredType::kF32:
      return ov::element::f32;
  }
  return ov::element::dynamic;
}

class StepGraphBuilder : GraphOps {
 public:
  StepGraphBuilder(const GraphSource& source, const StepShape& shape)
      : source_(source), config_(source.config), shape_(shape) {}

  std::shared_ptr<ov::Model> build() {
    make_inputs();
    masks_ = make_attention_masks(*this, shape_,
                                  {.attention_mask = mask_,
                                   .input_ids = ids_,
                                   .query_heads_per_key_head = config_.heads / config_.kv_heads,
                                   .joins_keys = is_wide()});
    make_rotation();
    Value rows = embed();
    for (uint32_t layer = 0; layer < config_.layers; ++layer) rows = decode(layer, rows);
    add_result(logits(rows), "logits");
    std::rotate(results_.begin(), results_.end() - 1, results_.end());  // logits come first
    return std::make_shared<ov::Model>(results_, parameters_, "step_graph");
  }

 private:
  int64_t width() const { return shape_.open_width ? -1 : int64_t{shape_.width}; }

  ov::Dimension width_dimension() const {
    if (!shape_.open_width) return shape_.width;
    return shape_.width == 0 ? ov::Dimension::dynamic() : ov::Dimension(1, shape_.width);
  }
  ov::Dimension past_dimension() const {
    if (!shape_.open_past) return shape_.past;
    return shape_.past == 0 ? ov::Dimension::dynamic() : ov::Dimension(0, shape_.past);
  }

  // --- inputs and outputs

  Value add_parameter(const std::string& name, ov::element::Type type, ov::PartialShape shape) {
    auto parameter = std::make_shared<op::Parameter>(type, std::move(shape));
    parameter->set_friendly_name(name);
    parameter->output(0).set_names({name});
    parameters_.push_back(parameter);
    return parameter->output(0);
  }

  void add_result(const Value& value, const std::string& name) {
    auto result = std::make_shared<op::Result>(value);
    result->set_friendly_name(name);
    result->output(0).set_names({name});
    results_.push_back(result);
  }

  void make_inputs() {
    const ov::Dimension columns = past_dimension() + width_dimension();
    ids_ = add_parameter("input_ids", ov::element::i64, {1, width_dimension()});
    mask_ = add_parameter("attention_mask", ov::element::i64, {1, columns});
    positions_ = add_parameter("position_ids", ov::element::i64, {1, width_dimension()});
  }

  // --- weights

  Value constant(const std::string& name) const {
    const Blob& blob = source_.stored.blobs.at(name);
    OVENBIRD_CHECK(blob.offset + blob.bytes <= source_.weights.size());
    // A tensor over foreign memory: the constant copies nothing.
    const ov::Tensor view(element_of(blob.type), ov::Shape(blob.shape.begin(), blob.shape.end()),
                          const_cast<std::byte*>(source_.weights.data() + blob.offset));
    auto node = std::make_shared<op::Constant>(view);
    node->set_friendly_name(name);
    return node->output(0);
  }
  bool has(const std::string& name) const { return source_.stored.blobs.contains(name); }

  /// The matrix as floats, [rows, padded_columns], in the form that devices recognise as compressed
  /// weights: Convert, [Subtract], Multiply, [Reshape], [Convert].
  Value matrix(const std::string& name) const {
    const StoredMatrix& stored = source_.stored.matrices.at(name);
    Value weights = constant(name + ".values");
    if (stored.format.group == 0) return to_f32(weights);
    const ov::element::Type scale_type = element_of(stored.format.scale_type);
    weights = make<op::Convert>(weights, scale_type);
    if (stored.format.has_zeros) {
      Value zeros = constant(name + ".zeros");
      if (zeros.get_element_type() != scale_type) zeros = make<op::Convert>(zeros, scale_type);
      weights = make<op::Subtract>(weights, zeros);
    }
    weights = make<op::Multiply>(weights, constant(name + ".scales"));
    if (stored.format.group != stored.padded_columns) {
      weights = reshape(weights, {int64_t(stored.rows), int64_t(stored.padded_columns)});
    }
    return to_f32(weights);
  }

  /// rows [1, W, columns] times the matrix, plus its bias if it has one: [1, W, matrix rows].
  Value linear(const Value& rows, const std::string& name) const {
    if (!source_.stored.matrices.contains(name)) return linear_in_parts(rows, name);
    const StoredMatrix& stored = source_.stored.matrices.at(name);
    const auto padding = int64_t(stored.padded_columns - stored.columns);
    const Value padded = padding == 0
                             ? rows
                             : make<op::Pad>(rows, integers({0, 0, 0}), integers({0, 0, padding}),
                                             number(0.0f), ov::op::PadMode::CONSTANT);
    const Value product = make<op::MatMul>(padded, matrix(name), false, true);
    product.get_node()->set_friendly_name(name);  // what an NPU's refusal names
    return add_bias(product, name);
  }

  /// A group whose members' formats differ: NAME.0, NAME.1, ... side by side.
  Value linear_in_parts(const Value& rows, const std::string& name) const {
    ov::OutputVector parts;
    for (int part = 0; source_.stored.matrices.contains(name + "." + std::to_string(part));
         ++part) {
      parts.push_back(linear(rows, name + "." + std::to_string(part)));
    }
    return add_bias(make<op::Concat>(parts, -1), name);
  }

  Value add_bias(const Value& rows, const std::string& name) const {
    return has(name + "_bias") ? make<op::Add>(rows, constant(name + "_bias")) : rows;
  }

  /// Root mean square norm over the last axis: x / sqrt(mean(x^2) + epsilon) * weight. An NPU's
  /// compiler knows these operations by their order: the sum of squares overflows f16, and is asked
  /// to be computed in f32 (see engine/device_properties).
  Value rms_norm(const Value& rows, const std::string& name) const {
    const Value squares = make<op::Power>(rows, number(2.0f));
    const Value mean = make<op::ReduceMean>(squares, integers({-1}), true);
    const Value shifted = make<op::Add>(mean, number(config_.rms_epsilon));
    const Value inverse = make<op::Divide>(number(1.0f), make<op::Sqrt>(shifted));
    return make<op::Multiply>(make<op::Multiply>(rows, inverse), constant(name));
  }

  /// Looks rows up in the stored table and only then turns them into floats.
  Value embed() const {
    const StoredMatrix& stored = source_.stored.matrices.at("embedding");
    const auto look_up = [&](const char* blob) {
      return to_f32(make<op::Gather>(constant(blob), ids_, integer(0)));
    };
    Value rows = look_up("embedding.values");
    if (stored.format.group == 0) return rows;
    if (stored.format.has_zeros) rows = make<op::Subtract>(rows, look_up("embedding.zeros"));
    rows = make<op::Multiply>(rows, look_up("embedding.scales"));
    if (stored.format.group == stored.columns) return rows;
    return reshape(rows, {1, width(), int64_t(stored.columns)});
  }

  // --- rotary positions

  /// cos_, sin_: [1, 1, W, D], each half of D the same angles.
  void make_rotation() {
    Value cos, sin;
    if (shape_.open_past && shape_.past == 0) {  // no bound: computed, on devices that have f32
      const std::vector<double> exact = rope_frequencies(config_);
      const std::vector<float> rounded(exact.begin(), exact.end());
      const Value frequencies =
          op::Constant::create(ov::element::f32, {1, 1, rounded.size()}, rounded);
      const Value position =
          make<op::Convert>(make<op::Unsqueeze>(positions_, integers({2})), ov::element::f32);
      const Value angles = make<op::Multiply>(position, frequencies);
      cos = make<op::Cos>(angles);
      sin = make<op::Sin>(angles);
    } else {
      cos = make<op::Gather>(constant(kRopeCosName), positions_, integer(0));
      sin = make<op::Gather>(constant(kRopeSinName), positions_, integer(0));
    }
    cos_ = both_halves(cos);
    sin_ = both_halves(sin);
  }

  Value both_halves(const Value& half) const {
    const Value whole = make<op::Concat>(ov::OutputVector{half, half}, 2);
    return make<op::Unsqueeze>(whole, integers({1}));
  }

  Value rotate(const Value& heads) const {
    const int64_t half = config_.head_dim / 2;
    const ov::OutputVector halves = split(heads, 3, integers({half, half}));
    const Value turned = make<op::Concat>(
        ov::OutputVector{make<op::Multiply>(halves[1], number(-1.0f)), halves[0]}, 3);
    return make<op::Add>(make<op::Multiply>(heads, cos_), make<op::Multiply>(turned, sin_));
  }

  // --- the layers

  Value decode(uint32_t layer, const Value& rows) {
    const auto name = [&](const char* part) { return layer_name(layer, part); };
    const Value attended = attend(layer, rms_norm(rows, name("attention_norm")));
    const Value middle = make<op::Add>(rows, linear(attended, name("output")));
    const Value gate_up = linear(rms_norm(middle, name("mlp_norm")), name("gate_up"));
    const int64_t size = config_.intermediate;
    const ov::OutputVector parts = split(gate_up, 2, integers({size, size}));
    const Value activated = make<op::Multiply>(make<op::Swish>(parts[0]), parts[1]);
    return make<op::Add>(middle, linear(activated, name("down")));
  }

  /// rows [1, W, hidden], normed -> [1, W, heads * D].
  Value attend(uint32_t layer, const Value& rows) {
    const int64_t size = config_.head_dim;
    const int64_t heads = config_.heads;
    const int64_t kv_heads = config_.kv_heads;
    const Value projected = linear(rows, layer_name(layer, "qkv"));
    const Value all_heads = make<op::Transpose>(
        reshape(projected, {1, width(), heads + 2 * kv_heads, size}), integers({0, 2, 1, 3}));
    const ov::OutputVector parts = split(all_heads, 1, integers({heads + kv_heads, kv_heads}));
    Value query_key = parts[0];  // normed and rotated together
    const Value value = parts[1];
    if (config_.qk_norm) query_key = rms_norm(query_key, layer_name(layer, "qk_norm"));
    const ov::OutputVector rotated = split(rotate(query_key), 1, integers({heads, kv_heads}));
    const Value key = rotated[1];
    const float scale = 1.0f / std::sqrt(static_cast<float>(size));
    const Value query = reshape(make<op::Multiply>(rotated[0], number(scale)),
                                {1, kv_heads, shape_.open_width ? -1 : width() * heads / kv_heads,
                                 size});  // [1, kv_heads, G * W, D]
    add_present(layer, key, value);

    const Value mixed = reshape(mix(layer, query, key, value), {1, heads, width(), size});
    return reshape(make<op::Transpose>(mixed, integers({0, 2, 1, 3})), {1, width(), heads * size});
  }

  void add_present(uint32_t layer, const Value& key, const Value& value) {
    const std::string prefix = "present." + std::to_string(layer);
    add_result(to_cache(key), prefix + ".key");
    add_result(to_cache(value), prefix + ".value");
  }

  ov::element::Type cache_element() const {
    return source_.cache_type == CacheType::kF16 ? ov::element::f16 : ov::element::f32;
  }
  Value to_cache(const Value& rows) const {
    return cache_element() == ov::element::f32 ? rows : make<op::Convert>(rows, cache_element());
  }

  /// Softmax(query key^T) value over past and new rows: [1, kv_heads, G * W, D].
  Value mix(uint32_t layer, const Value& query, const Value& key, const Value& value) {
    if (!shape_.has_past()) return mix_whole(query, key, value, masks_.fresh);
    const std::string prefix = "past_key_values." + std::to_string(layer);
    const ov::PartialShape rows{1, config_.kv_heads, past_dimension(), config_.head_dim};
    const Value past_key = to_f32(add_parameter(prefix + ".key", cache_element(), rows));
    const Value past_value = to_f32(add_parameter(prefix + ".value", cache_element(), rows));
    if (is_wide()) {
      return mix_whole(query, make<op::Concat>(ov::OutputVector{past_key, key}, 2),
                       make<op::Concat>(ov::OutputVector{past_value, value}, 2), masks_.all);
    }
    return mix_apart(query, {past_key, past_value}, {key, value});
  }

  /// With many rows the scores are larger than the keys: then the keys are put together instead.
  bool is_wide() const { return !shape_.open_width && shape_.width >= config_.head_dim / 2; }

  Value mix_whole(const Value& query, const Value& key, const Value& value,
                  const Value& hidden) const {
    const Value scores = make<op::Add>(make<op::MatMul>(query, key, false, true), hidden);
    return make<op::MatMul>(make<op::Softmax>(scores, 3), value, false, false);
  }

  struct KeyValue {
    Value key, value;
  };

  Value mix_apart(const Value& query, const KeyValue& past, const KeyValue& fresh) const {
    Value new_scores = make<op::MatMul>(query, fresh.key, false, true);
    if (masks_.fresh.get_node()) new_scores = make<op::Add>(new_scores, masks_.fresh);
    const Value past_scores =
        make<op::Add>(make<op::MatMul>(query, past.key, false, true), masks_.past);
    const Value weights =
        make<op::Softmax>(make<op::Concat>(ov::OutputVector{past_scores, new_scores}, 3), 3);
    const ov::OutputVector parts = split(weights, 3, masks_.past_and_rest);
    return make<op::Add>(make<op::MatMul>(parts[0], past.value, false, false),
                         make<op::MatMul>(parts[1], fresh.value, false, false));
  }

  Value logits(Value rows) const {
    if (shape_.logit_rows > 0 && (shape_.open_width || shape_.logit_rows < shape_.width)) {
      rows = make<op::Slice>(rows, integers({-int64_t{shape_.logit_rows}}),
                             integers({std::numeric_limits<int32_t>::max()}), integers({1}),
                             integers({1}));
    }
    return linear(rms_norm(rows, "final_norm"), config_.tied_head ? "embedding" : "head");
  }

  const GraphSource& source_;
  const ModelConfig& config_;
  const StepShape& shape_;
  ov::ParameterVector parameters_;
  ov::ResultVector results_;
  Value ids_, mask_, positions_;
  AttentionMasks masks_;
  Value cos_, sin_;
};

}  // namespace

std::shared_ptr<ov::Model> build_step_graph(const GraphSource& source, const StepShape& shape) {
  return StepGraphBuilder(source, shape).build();
}

}  // namespace ovenbird
