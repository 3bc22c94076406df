// A graph as its OpenVINO IR describes it: layers, what they give, and what they take from whom.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ovenbird/result.hpp"

namespace ovenbird {

/// One output of a layer. A dimension of -1 is open.
struct IrOutput {
  std::string type;                // OpenVINO's name: "f32", "f16", "i64", "i4", "boolean"
  std::vector<int64_t> shape;      // outermost first; empty: a scalar
  std::vector<std::string> names;  // of the tensor; may be empty
};

/// Where an input of a layer comes from: an output of another one.
struct IrSource {
  size_t layer = 0;   // index into IrGraph::layers
  size_t output = 0;  // index into its outputs
};

/// Where a Const says that its numbers lie in the weights file. Nobody has compared it with one.
struct IrConstant {
  std::string type;
  std::vector<int64_t> shape;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

struct IrLayer {
  std::string id;     // as the IR's edges name it
  std::string name;   // the friendly name
  std::string type;   // "MatMul", "Const", "Parameter", "Result", ...
  std::string opset;  // "opset1", ...
  std::vector<IrOutput> outputs;
  std::vector<IrSource> sources;            // one for each input, in the order of its ports
  std::optional<IrConstant> constant = {};  // of a Const, if its data name all of it
};

struct IrGraph {
  std::vector<IrLayer> layers;  // in the IR's order; the bodies of loops and ifs are left out

  const IrOutput& output_of(const IrSource& source) const {
    return layers[source.layer].outputs[source.output];
  }
};

/// Takes the text of an .xml apart; weights are not needed. Every source is a layer and an output
/// that exist. Errors: kCorrupt, naming what is wrong.
Result<IrGraph> read_ir_graph(std::string_view xml);

}  // namespace ovenbird
