// Plain OpenVINO: read, compile, infer, convert.
#include "engine/plain_openvino.h"

#include <doctest/doctest.h>

#include <openvino/op/constant.hpp>
#include <openvino/runtime/core.hpp>
#include <openvino/runtime/properties.hpp>

namespace ovenbird {

std::vector<float> plain_window_logits(const Bundle& bundle, const std::vector<int32_t>& ids) {
  REQUIRE(ids.size() == 128);
  ov::Core core;
  ov::CompiledModel model = core.compile_model(
      core.read_model(bundle.file(kWindowGraphName).string(), bundle.file(kWeightsName).string()),
      "CPU", ov::hint::inference_precision(ov::element::f32),
      ov::hint::dynamic_quantization_group_size(0));
  ov::InferRequest request = model.create_infer_request();
  const std::vector<int64_t> mask(ids.size(), 1);
  std::vector<int64_t> positions;
  for (size_t i = 0; i < ids.size(); ++i) positions.push_back(static_cast<int64_t>(i));
  const auto fill = [&](const char* name, const auto& numbers) {
    ov::Tensor tensor = request.get_tensor(name);
    std::copy(numbers.begin(), numbers.end(), tensor.data<int64_t>());
  };
  fill("input_ids", ids);
  fill("attention_mask", mask);
  fill("position_ids", positions);
  request.infer();
  const ov::Tensor logits = request.get_tensor("logits");
  return {logits.data<const float>(), logits.data<const float>() + logits.get_size()};
}

std::vector<float> plain_nf4_values() {
  std::vector<uint8_t> codes;
  for (uint8_t code = 0; code < 16; code += 2) {
    codes.push_back(static_cast<uint8_t>(code | (code + 1) << 4));
  }
  return ov::op::v0::Constant(ov::element::nf4, {16}, codes.data()).cast_vector<float>();
}

}  // namespace ovenbird
