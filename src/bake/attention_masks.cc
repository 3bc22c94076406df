// Masks from the attention_mask input, with causality among the new rows added.
#include "bake/attention_masks.h"

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
      masks.past = ops_.reshape(hidden_where_zero(parts[0]), {1, 1, 1, past()});
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

  /// Static graphs keep their lengths as constants: an NPU takes no ShapeOf.
  Value past_and_rest() const {
    if (shape_.open_past) {
      return make<op::Concat>(ov::OutputVector{past_length(), ops_.integers({-1})}, 0);
    }
    return ops_.integers({past(), width()});
  }

  Value past_length() const {  // i64 [1]
    return make<op::Subtract>(ops_.dimension(inputs_.attention_mask, 1),
                              ops_.dimension(inputs_.input_ids, 1));
  }

  Value hidden_where_zero(const Value& seen) const {
    return make<op::Multiply>(make<op::Subtract>(ops_.number(1.0f), seen), ops_.number(kHidden));
  }

  Value fresh(const Value& seen_new) const {
    const Value before = shape_.open_width ? open_triangle(true) : static_triangle(true);
    const Value itself = shape_.open_width ? open_triangle(false) : static_triangle(false);
    const Value allowed = make<op::Add>(make<op::Multiply>(before, seen_new), itself);  // [W, W]
    const Value hidden =
        make<op::Unsqueeze>(hidden_where_zero(allowed), ops_.integers({0, 1}));  // [1, 1, W, W]
    return make<op::Concat>(ov::OutputVector(inputs_.query_heads_per_key_head, hidden), 2);
  }

  Value all(const AttentionMasks& masks) const {
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
    const Value count = make<op::Squeeze>(ops_.dimension(inputs_.input_ids, 1), ops_.integers({0}));
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
