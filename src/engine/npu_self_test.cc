// The NPU's first steps, from listing it to numbers in a page of ours.
#include "engine/npu_self_test.h"

#include <cmath>
#include <openvino/opsets/opset13.hpp>
#include <openvino/runtime/core.hpp>
#include <openvino/runtime/intel_npu/level_zero/level_zero.hpp>
#include <openvino/runtime/intel_npu/properties.hpp>
#include <span>
#include <string>

#include "base/message_text.h"
#include "base/page_memory.h"
#include "engine/openvino_core.h"

namespace ovenbird {
namespace {

constexpr size_t kNumbers = 1024;  // of f32: one page of input, one of output

/// 2x + 1 over one page: exact in f16, in which an NPU computes.
std::shared_ptr<ov::Model> tiny_graph() {
  using namespace ov::opset13;
  const auto input = std::make_shared<Parameter>(ov::element::f32, ov::Shape{1, kNumbers});
  const auto two = Constant::create(ov::element::f32, ov::Shape{1, 1}, {2.0f});
  const auto one = Constant::create(ov::element::f32, ov::Shape{1, 1}, {1.0f});
  const auto doubled = std::make_shared<Multiply>(input, two);
  const auto sum = std::make_shared<Add>(doubled, one);
  return std::make_shared<ov::Model>(ov::OutputVector{sum}, ov::ParameterVector{input},
                                     "ovenbird_self_test");
}

float number_at(size_t index) { return static_cast<float>(index % 37); }

void write_numbers(std::span<float> numbers) {
  for (size_t index = 0; index < numbers.size(); ++index) numbers[index] = number_at(index);
}

bool are_results(std::span<const float> results) {
  for (size_t index = 0; index < results.size(); ++index) {
    if (!(std::fabs(results[index] - (2 * number_at(index) + 1)) < 0.01f)) return false;
  }
  return true;
}

std::span<float> floats_in(const PageMemory& page) {
  return {reinterpret_cast<float*>(page.bytes().data()), kNumbers};
}

/// One run on memory of OpenVINO's own.
void run_plainly(ov::CompiledModel& compiled, NpuAnswer& answer) {
  ov::InferRequest request = compiled.create_infer_request();
  write_numbers({request.get_input_tensor().data<float>(), kNumbers});
  request.infer();
  answer.failed_step = "compare";
  if (are_results({request.get_output_tensor().data<const float>(), kNumbers})) {
    answer.failed_step.clear();
  }
}

/// One run on two imported pages. What the device did not write there, we find as zeros.
void run_on_pages(ov::Core& core, ov::CompiledModel& compiled, NpuAnswer& answer) {
  const Result<PageMemory> in = PageMemory::allocate(kNumbers * sizeof(float), Pages::kShared);
  const Result<PageMemory> out = PageMemory::allocate(kNumbers * sizeof(float), Pages::kShared);
  if (!in || !out) {
    answer.import_error = (in ? out : in).error().message;
    return;
  }
  write_numbers(floats_in(*in));
  auto context = core.get_default_context("NPU").as<ov::intel_npu::level_zero::ZeroContext>();
  const auto import = [&](const PageMemory& page) {
    return context.create_tensor(ov::element::f32, ov::Shape{1, kNumbers}, page.bytes().data(),
                                 ov::intel_npu::MemType::CPU_VA);
  };
  ov::InferRequest request = compiled.create_infer_request();
  request.set_input_tensor(import(*in));
  request.set_output_tensor(import(*out));
  request.infer();
  answer.imports_pages = are_results(floats_in(*out));
}

void describe(ov::Core& core, NpuAnswer& answer) {
  answer.name = one_line(core.get_property("NPU", ov::device::full_name));
  answer.architecture = one_line(core.get_property("NPU", ov::device::architecture));
  answer.driver = std::to_string(core.get_property("NPU", ov::intel_npu::driver_version));
}

class Steps {
 public:
  Steps(const std::function<void(const NpuAnswer&)>& at_step, NpuAnswer& answer)
      : at_step_(at_step), answer_(answer) {}

  /// Until the next step, whatever goes wrong is this one's fault.
  void begin(const char* step) {
    answer_.failed_step = step;
    at_step_(answer_);
  }

 private:
  const std::function<void(const NpuAnswer&)>& at_step_;
  NpuAnswer& answer_;
};

/// Throws what OpenVINO throws; `failed_step` says where. It is empty when all went well.
void take_steps(Steps steps, NpuAnswer& answer) {
  steps.begin("list");
  ov::Core& core = openvino_core();
  answer.is_listed = offers("NPU");
  if (!answer.is_listed) return;
  steps.begin("describe");
  describe(core, answer);
  steps.begin("compile");
  ov::CompiledModel compiled = core.compile_model(tiny_graph(), "NPU");
  steps.begin("run");
  run_plainly(compiled, answer);
  if (!answer.failed_step.empty()) return;
  steps.begin("import");
  try {
    run_on_pages(core, compiled, answer);
    // An import that succeeds and then does not work would spoil every step.
    if (!answer.imports_pages && answer.import_error.empty()) return;
  } catch (const std::exception& thrown) {
    answer.import_error = one_line(words_of(thrown));
  }
  answer.failed_step.clear();  // old drivers refuse to import, and work
}

}  // namespace

NpuAnswer try_npu(const std::function<void(const NpuAnswer&)>& at_step) {
  NpuAnswer answer;
  try {
    take_steps({at_step, answer}, answer);
  } catch (const std::exception& thrown) {
    answer.error = one_line(words_of(thrown));
  }
  return answer;
}

}  // namespace ovenbird
