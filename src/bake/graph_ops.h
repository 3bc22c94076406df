// Short words for OpenVINO's operations, as the graph builder uses them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <openvino/opsets/opset13.hpp>
#include <utility>
#include <vector>

namespace ovenbird {

namespace op = ov::opset13;
using Value = ov::Output<ov::Node>;

template <typename Op, typename... Inputs>
Value make(Inputs&&... inputs) {
  return std::make_shared<Op>(std::forward<Inputs>(inputs)...)->output(0);
}

/// `value` itself if it is f32.
Value to_f32(const Value& value);

/// The small constants of one graph, and what is written with them. Equal constants are shared: a
/// thousand fewer nodes for every device to look at.
class GraphOps {
 public:
  Value integers(const std::vector<int64_t>& values) const;  // i64 [count]
  Value integer(int64_t value) const;                        // i64 []
  Value number(float value) const;                           // f32 []

  Value reshape(const Value& value, const std::vector<int64_t>& shape) const;
  ov::OutputVector split(const Value& value, int64_t axis, const Value& lengths) const;
  /// One dimension of a value's shape, as i64 [1]. Not for static graphs: an NPU takes no ShapeOf.
  Value dimension(const Value& value, int64_t axis) const;

 private:
  mutable std::map<std::vector<int64_t>, Value> integers_;
  mutable std::map<int64_t, Value> integer_;
  mutable std::map<float, Value> number_;
};

}  // namespace ovenbird
