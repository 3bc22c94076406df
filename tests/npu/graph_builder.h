// Small graphs for tests, layer by layer, without an IR around them.
#pragma once

#include <string>
#include <vector>

#include "npu/ir_graph.h"

namespace ovenbird {

struct GraphBuilder {
  IrGraph graph;

  /// Adds a layer with one output and gives its index. `sources`: layers whose output 0 it takes.
  size_t add(const std::string& type, const std::string& element, std::vector<int64_t> shape,
             const std::vector<size_t>& sources = {}) {
    const size_t index = graph.layers.size();
    IrLayer layer{.id = std::to_string(index), .name = type + std::to_string(index), .type = type};
    layer.outputs.push_back({.type = element, .shape = std::move(shape)});
    for (const size_t source : sources) layer.sources.push_back({.layer = source});
    graph.layers.push_back(std::move(layer));
    return index;
  }

  /// How a matrix of [rows, groups * group] is stored; one group a row: [rows, group].
  struct Stored {
    std::string type = "i4";
    int64_t rows = 64;
    int64_t groups = 4;
    int64_t group = 128;
    bool has_zeros = false;
    std::string holder = "Const";  // or "Parameter"
  };

  /// Rows [1, columns] times such a matrix: Convert, [Subtract], Multiply, [Reshape], Convert.
  size_t add_matmul(const Stored& stored) {
    const std::vector<int64_t> shape = stored.groups == 1
                                           ? std::vector{stored.rows, stored.group}
                                           : std::vector{stored.rows, stored.groups, stored.group};
    std::vector<int64_t> one_each = shape;
    one_each.back() = 1;
    size_t weights = add(stored.holder, stored.type, shape);
    weights = add("Convert", "f16", shape, {weights});
    if (stored.has_zeros) {
      const size_t zeros = add("Convert", "f16", one_each, {add("Const", "u8", one_each)});
      weights = add("Subtract", "f16", shape, {weights, zeros});
    }
    weights = add("Multiply", "f16", shape, {weights, add("Const", "f16", one_each)});
    const int64_t columns = stored.groups * stored.group;
    if (stored.groups != 1) {
      const size_t wanted = add("Const", "i64", {2});
      weights = add("Reshape", "f16", {stored.rows, columns}, {weights, wanted});
    }
    weights = add("Convert", "f32", {stored.rows, columns}, {weights});
    const size_t rows = add("Parameter", "f32", {1, columns});
    return add("MatMul", "f32", {1, stored.rows}, {rows, weights});
  }
};

}  // namespace ovenbird
