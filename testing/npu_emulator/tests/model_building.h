// Small graphs by OpenVINO's operations, for tests that go through the NPU plugin.
#pragma once

#include <memory>
#include <openvino/op/parameter.hpp>
#include <openvino/openvino.hpp>
#include <string>
#include <vector>

namespace npu_emulator {

using Node = ov::Output<ov::Node>;

/// A graph of f32 inputs of one shape, whose outputs are what `build` makes of them.
template <typename Build>
std::shared_ptr<ov::Model> model_of(size_t inputs, const ov::Shape& shape, const Build& build) {
  ov::ParameterVector parameters;
  for (size_t index = 0; index < inputs; ++index) {
    parameters.push_back(std::make_shared<ov::op::v0::Parameter>(ov::element::f32, shape));
    parameters.back()->set_friendly_name("input" + std::to_string(index));
  }
  return std::make_shared<ov::Model>(ov::OutputVector{build(parameters)}, parameters);
}

/// An operation by its class; its friendly name matters to some tests.
template <typename Op, typename... Arguments>
Node op(Arguments... arguments) {
  return std::make_shared<Op>(arguments...)->output(0);
}

/// Compiles for `device`, runs once, and gives the first output. All tensors are f32.
inline std::vector<float> run_once(const std::shared_ptr<ov::Model>& model,
                                   const std::vector<std::vector<float>>& inputs,
                                   const std::string& device = "NPU",
                                   const ov::AnyMap& options = {}) {
  ov::Core core;
  ov::AnyMap all = options;
  if (device == "CPU") all["INFERENCE_PRECISION_HINT"] = "f32";
  ov::CompiledModel compiled = core.compile_model(model, device, all);
  ov::InferRequest request = compiled.create_infer_request();
  for (size_t index = 0; index < inputs.size(); ++index) {
    std::copy(inputs[index].begin(), inputs[index].end(),
              request.get_input_tensor(index).data<float>());
  }
  request.infer();
  const ov::Tensor output = request.get_output_tensor(0);
  return {output.data<float>(), output.data<float>() + output.get_size()};
}

}  // namespace npu_emulator
