// Masks from the attention_mask input, with causality among the new rows added.
#include "bake/attention_masks.h"

#include <numeric>
#include <vector>

namespace ovenbird {
namespace {

/// Added to the score of a hidden column. Finite, and far enough from f16's 65504 that a score can
/// be added to it: softmax over a row of infinities would be NaN.
constexpr float kHidden = -30000.0f;

class MaskBuilder {
 public:
  MaskBuilder(const GraphOps& ops, const StepShape& shape, const MaskInputs& inputs)
      : ops_(ops), shape_(shape), inputs_(inputs) {}

  AttentionMasks build() const {
    AttentionMasks masks;
    const Value seen = make<op::Convert>(inputs_.attention_mask, ov::element::f32);
    Value seen_new = seen;
    if (shape_.has_past()) {
      masks.past_and_rest = past_and_rest();
      const ov::OutputVector parts = ops_.split(seen, 1, masks.past_and_rest);
      masks.past = past_mask(parts[0]);
      seen_new = parts[1];
    }
    if (!shape_.open_width && shape_.width == 1) return masks;
    masks.fresh = fresh(seen_new);
    if (shape_.has_past() && inputs_.joins_keys) masks.all = all(masks);
    return masks;
  }

 private:
  int64_t width() const { return shape_.open_width ? -1 : int64_t{shape_.width}; }
  int64_t past() const { return shape_.open_past ? -1 : int64_t{shape_.past}; }
  bool has_window() const { return inputs_.window > 0; }

  /// Static graphs keep their lengths as constants: an NPU takes no ShapeOf.
  Value past_and_rest() const {
    if (shape_.open_past) {
      return make<op::Concat>(ov::OutputVector{past_length(), ops_.integers({-1})}, 0);
    }
    return ops_.integers({past(), width()});
  }

  Value past_length() const {  // i64 [1]
    return make<op::Subtract>(ops_.dimension(inputs_.attention_mask, 1),
                              ops_.dimension(inputs_.position_ids, 1));
  }

  Value hidden_where_zero(const Value& seen) const {
    return make<op::Multiply>(make<op::Subtract>(ops_.number(1.0f), seen), ops_.number(kHidden));
  }

  /// [W, W] or [W, P] -> [1, 1, G * W, ...]: the same for all query heads of a key head.
  Value for_query_heads(const Value& mask) const {
    const Value whole = make<op::Unsqueeze>(mask, ops_.integers({0, 1}));
    if (inputs_.query_heads_per_key_head == 1) return whole;
    return make<op::Concat>(ov::OutputVector(inputs_.query_heads_per_key_head, whole), 2);
  }

  /// 1 where a row's position is less than a window after a column's. Positions as i64: f16 cannot
  /// tell large ones apart.
  Value in_window(const Value& column_positions) const {  // [1, columns] -> f32 [W, columns]
    const Value rows = make<op::Unsqueeze>(
        make<op::Squeeze>(inputs_.position_ids, ops_.integers({0})), ops_.integers({1}));
    const Value distance = make<op::Subtract>(rows, column_positions);
    return to_f32(make<op::Less>(distance, ops_.integer(inputs_.window)));
  }

  Value past_mask(const Value& seen_past) const {
    if (!has_window()) return ops_.reshape(hidden_where_zero(seen_past), {1, 1, 1, past()});
    const Value seen = make<op::Multiply>(in_window(past_positions()), seen_past);
    return for_query_heads(hidden_where_zero(seen));
  }

  Value past_positions() const {  // i64 [1, P]
    if (!shape_.open_past) {
      std::vector<int64_t> positions(shape_.past);
      std::iota(positions.begin(), positions.end(), 0);
      return op::Constant::create(ov::element::i64, {1, positions.size()}, positions);
    }
    const Value count = make<op::Squeeze>(past_length(), ops_.integers({0}));
    const Value index = make<op::Range>(ops_.integer(0), count, ops_.integer(1), ov::element::i64);
    return make<op::Unsqueeze>(index, ops_.integers({0}));
  }

  Value fresh(const Value& seen_new) const {
    const Value before = shape_.open_width ? open_triangle(true) : static_triangle(true);
    const Value itself = shape_.open_width ? open_triangle(false) : static_triangle(false);
    Value seen = make<op::Multiply>(before, seen_new);
    if (has_window()) seen = make<op::Multiply>(seen, in_window(inputs_.position_ids));
    return for_query_heads(hidden_where_zero(make<op::Add>(seen, itself)));
  }

  Value all(const AttentionMasks& masks) const {
    if (has_window()) return make<op::Concat>(ov::OutputVector{masks.past, masks.fresh}, 3);
    const int64_t rows = width() * inputs_.query_heads_per_key_head;
    const Value columns = shape_.open_past ? past_length() : ops_.integers({past()});
    const Value shape = make<op::Concat>(ov::OutputVector{ops_.integers({1, 1, rows}), columns}, 0);
    const Value past_rows = make<op::Broadcast>(masks.past, shape);
    return make<op::Concat>(ov::OutputVector{past_rows, masks.fresh}, 3);
  }

  /// [W, W]: ones below the diagonal, or ones on it.
  Value static_triangle(bool below) const {
    const size_t size = shape_.width;
    std::vector<float> ones(size * size);
    for (size_t row = 0; row < size; ++row) {
      for (size_t column = 0; column < size; ++column) {
        ones[row * size + column] = below ? column < row : column == row;
      }
    }
    return op::Constant::create(ov::element::f32, {size, size}, ones);
  }

  Value open_triangle(bool below) const {
    const Value count =
        make<op::Squeeze>(ops_.dimension(inputs_.position_ids, 1), ops_.integers({0}));
    const Value index = make<op::Range>(ops_.integer(0), count, ops_.integer(1), ov::element::i64);
    const Value row = make<op::Unsqueeze>(index, ops_.integers({1}));
    const Value column = make<op::Unsqueeze>(index, ops_.integers({0}));
    return to_f32(below ? make<op::Less>(column, row) : make<op::Equal>(column, row));
  }

  const GraphOps& ops_;
  const StepShape& shape_;
  const MaskInputs& inputs_;
};

}  // namespace

AttentionMasks make_attention_masks(const GraphOps& ops, const StepShape& shape,
                                    const MaskInputs& inputs) {
  return MaskBuilder(ops, shape, inputs).build();
}

}  // namespace ovenbird
