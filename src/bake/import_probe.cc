// A model of the wanted part alone is made, and compiled for the CPU.
#include "bake/import_probe.h"

#include <algorithm>
#include <openvino/core/except.hpp>
#include <openvino/runtime/core.hpp>
#include <openvino/runtime/properties.hpp>
#include <set>

#include "base/message_text.h"

namespace ovenbird {
namespace {

constexpr char kPastPrefix[] = "past_key_values.";

bool is_cache(const std::string& name) { return name.starts_with(kPastPrefix); }

Result<ov::Tensor> run(const Value& wanted, const ProbeFeed& feed) {
  const auto result = std::make_shared<op::Result>(wanted);
  // A clone: the shapes of the cache's inputs are about to change.
  const std::shared_ptr<ov::Model> part =
      ov::Model(ov::ResultVector{result}, parameters_behind({wanted}), "probe").clone();
  for (const std::shared_ptr<op::Parameter>& parameter : part->get_parameters()) {
    if (is_cache(parameter->output(0).get_any_name())) {
      parameter->set_partial_shape({1, 1, -1, 1});
    }
  }
  part->validate_nodes_and_infer_types();
  ov::CompiledModel compiled =
      ov::Core().compile_model(part, "CPU", ov::hint::inference_precision(ov::element::f32));
  ov::InferRequest request = compiled.create_infer_request();
  for (const ov::Output<const ov::Node>& input : compiled.inputs()) {
    const std::string& name = input.get_any_name();
    const auto fed = feed.inputs.find(name);
    if (fed != feed.inputs.end()) {
      request.set_tensor(input, fed->second);
    } else if (is_cache(name)) {
      request.set_tensor(input, ov::Tensor(input.get_element_type(), {1, 1, feed.past, 1}));
    } else {
      return fail(Code::kUnsupported, "it depends on the input " + in_quotes(name));
    }
  }
  request.infer();
  const ov::Tensor out = request.get_output_tensor();
  ov::Tensor own(out.get_element_type(), out.get_shape());  // the request's dies with it
  out.copy_to(own);
  return own;
}

}  // namespace

ov::ParameterVector parameters_behind(const ov::OutputVector& values) {
  ov::ParameterVector parameters;
  std::set<ov::Node*> seen;
  std::vector<ov::Node*> open;
  for (const Value& value : values) open.push_back(value.get_node());
  while (!open.empty()) {
    ov::Node* node = open.back();
    open.pop_back();
    if (!seen.insert(node).second) continue;
    if (auto parameter = ov::as_type_ptr<op::Parameter>(node->shared_from_this())) {
      parameters.push_back(parameter);
    }
    for (const Value& input : node->input_values()) open.push_back(input.get_node());
  }
  return parameters;
}

ov::Tensor row_of(const std::vector<int64_t>& numbers) {
  ov::Tensor row(ov::element::i64, {1, numbers.size()});
  std::copy(numbers.begin(), numbers.end(), row.data<int64_t>());
  return row;
}

Result<ov::Tensor> probe(const Value& wanted, const ProbeFeed& feed) {
  try {
    return run(wanted, feed);
  } catch (const ov::Exception& thrown) {
    return fail(Code::kUnsupported, std::string("OpenVINO: ") + one_line(thrown.what()));
  }
}

}  // namespace ovenbird
