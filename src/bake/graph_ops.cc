// Short words for OpenVINO's operations.
#include "bake/graph_ops.h"

namespace ovenbird {

Value to_f32(const Value& value) {
  if (value.get_element_type() == ov::element::f32) return value;
  return make<op::Convert>(value, ov::element::f32);
}

Value GraphOps::integers(const std::vector<int64_t>& values) const {
  Value& shared = integers_[values];
  if (!shared.get_node()) {
    shared = op::Constant::create(ov::element::i64, {values.size()}, values)->output(0);
  }
  return shared;
}

Value GraphOps::integer(int64_t value) const {
  Value& shared = integer_[value];
  if (!shared.get_node()) {
    shared = op::Constant::create(ov::element::i64, {}, {value})->output(0);
  }
  return shared;
}

Value GraphOps::number(float value) const {
  Value& shared = number_[value];
  if (!shared.get_node()) {
    shared = op::Constant::create(ov::element::f32, {}, {value})->output(0);
  }
  return shared;
}

Value GraphOps::reshape(const Value& value, const std::vector<int64_t>& shape) const {
  return make<op::Reshape>(value, integers(shape), false);
}

ov::OutputVector GraphOps::split(const Value& value, int64_t axis, const Value& lengths) const {
  return std::make_shared<op::VariadicSplit>(value, integer(axis), lengths)->outputs();
}

Value GraphOps::dimension(const Value& value, int64_t axis) const {
  const Value shape = make<op::ShapeOf>(value, ov::element::i64);
  return make<op::Gather>(shape, integers({axis}), integer(0));
}

}  // namespace ovenbird
