// Runs a part of a graph on the CPU: how an imported graph is asked what it computes, where
// its form alone would not tell.
#pragma once

#include <map>
#include <openvino/core/model.hpp>
#include <openvino/runtime/tensor.hpp>
#include <string>

#include "bake/graph_ops.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// What is fed to the inputs, by name. Inputs that are the cache get `past` rows of one head of one
/// number: whoever looks at more than their count gets an error.
struct ProbeFeed {
  std::map<std::string, ov::Tensor> inputs;
  size_t past = 0;
};

/// i64 [1, count].
ov::Tensor row_of(const std::vector<int64_t>& numbers);

/// The inputs of a model that these values depend on.
ov::ParameterVector parameters_behind(const ov::OutputVector& values);

/// Computes `wanted`, which is part of a model, in f32. Only what it depends on is compiled, and
/// nothing of the model is changed. Errors: kUnsupported: it depends on another input, or OpenVINO
/// cannot compute it.
Result<ov::Tensor> probe(const Value& wanted, const ProbeFeed& feed);

}  // namespace ovenbird
