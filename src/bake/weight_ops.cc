// The operations that read stored weights: products, norms, the look-up of embeddings.
#include "bake/weight_ops.h"

#include "base/check.h"

namespace ovenbird {
namespace {

ov::element::Type element_of(StoredType type) {
  switch (type) {
    case StoredType::kI4:
      return ov::element::i4;
    case StoredType::kU4:
      return ov::element::u4;
    case StoredType::kNf4:
      return ov::element::nf4;
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

}  // namespace

Value WeightOps::constant(const std::string& name) const {
  const Blob& blob = stored_.blobs.at(name);
  OVENBIRD_CHECK(blob.offset + blob.bytes <= bytes_.size());
  // A tensor over foreign memory: the constant copies nothing.
  const ov::Tensor view(element_of(blob.type), ov::Shape(blob.shape.begin(), blob.shape.end()),
                        const_cast<std::byte*>(bytes_.data() + blob.offset));
  auto node = std::make_shared<op::Constant>(view);
  node->set_friendly_name(name);
  return node->output(0);
}

/// The matrix as floats, [rows, padded_columns], in the form that devices recognise as compressed
/// weights: Convert, [Subtract], Multiply, [Reshape], [Convert].
Value WeightOps::matrix(const std::string& name) const {
  const StoredMatrix& stored = stored_.matrices.at(name);
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
    weights = ops_.reshape(weights, {int64_t(stored.rows), int64_t(stored.padded_columns)});
  }
  return to_f32(weights);
}

Value WeightOps::linear(const Value& rows, const std::string& name) const {
  if (!stored_.matrices.contains(name)) return linear_in_parts(rows, name);
  const StoredMatrix& stored = stored_.matrices.at(name);
  const auto padding = int64_t(stored.padded_columns - stored.columns);
  const Value padded =
      padding == 0 ? rows
                   : make<op::Pad>(rows, ops_.integers({0, 0, 0}), ops_.integers({0, 0, padding}),
                                   ops_.number(0.0f), ov::op::PadMode::CONSTANT);
  const Value product = make<op::MatMul>(padded, matrix(name), false, true);
  product.get_node()->set_friendly_name(name);  // what an NPU's refusal names
  return add_bias(product, name);
}

/// A group whose members' formats differ: NAME.0, NAME.1, ... side by side.
Value WeightOps::linear_in_parts(const Value& rows, const std::string& name) const {
  ov::OutputVector parts;
  for (int part = 0; stored_.matrices.contains(name + "." + std::to_string(part)); ++part) {
    parts.push_back(linear(rows, name + "." + std::to_string(part)));
  }
  return add_bias(make<op::Concat>(parts, -1), name);
}

Value WeightOps::add_bias(const Value& rows, const std::string& name) const {
  return has(name + "_bias") ? make<op::Add>(rows, constant(name + "_bias")) : rows;
}

// An NPU's compiler knows these operations by their order: the sum of squares overflows f16, and is
// asked to be computed in f32 (see engine/device_properties).
Value WeightOps::rms_norm(const Value& rows, const std::string& name, float epsilon) const {
  const Value squares = make<op::Power>(rows, ops_.number(2.0f));
  const Value mean = make<op::ReduceMean>(squares, ops_.integers({-1}), true);
  const Value shifted = make<op::Add>(mean, ops_.number(epsilon));
  const Value inverse = make<op::Divide>(ops_.number(1.0f), make<op::Sqrt>(shifted));
  return make<op::Multiply>(make<op::Multiply>(rows, inverse), constant(name));
}

Value WeightOps::look_up(const Value& ids, const std::string& name, int64_t width) const {
  const StoredMatrix& stored = stored_.matrices.at(name);
  const auto gather = [&](const char* part) {
    return to_f32(make<op::Gather>(constant(name + part), ids, ops_.integer(0)));
  };
  Value rows = gather(".values");
  if (stored.format.group == 0) return rows;
  if (stored.format.has_zeros) rows = make<op::Subtract>(rows, gather(".zeros"));
  rows = make<op::Multiply>(rows, gather(".scales"));
  if (stored.format.group == stored.columns) return rows;
  return ops_.reshape(rows, {1, width, int64_t(stored.columns)});
}

}  // namespace ovenbird
