// A graph on OpenVINO's CPU plugin, bound to the addresses that the device is given.
#include <map>
#include <mutex>

#include "src/half_arithmetic.h"
#include "src/model.h"
#include "src/openvino_c.h"
#include "src/settings.h"

namespace npu_emulator {
namespace {

std::optional<ov_element_type_e> element_type(const std::string& name) {
  static const auto& types = *new std::map<std::string, ov_element_type_e>{
      {"boolean", BOOLEAN}, {"bf16", BF16}, {"f16", F16}, {"f32", F32},       {"f64", F64},
      {"i4", I4},           {"i8", I8},     {"i16", I16}, {"i32", I32},       {"i64", I64},
      {"u1", U1},           {"u2", U2},     {"u4", U4},   {"u8", U8},         {"u16", U16},
      {"u32", U32},         {"u64", U64},   {"nf4", NF4}, {"f8e4m3", F8E4M3}, {"f8e5m2", F8E5M3},
      {"f8e8m0", F8E8M0}};
  const auto found = types.find(name);
  if (found == types.end()) return std::nullopt;
  return found->second;
}

/// A tensor over memory of somebody else's; nullptr if OpenVINO refuses.
ov_tensor_t* wrap(ov_element_type_e type, const std::vector<int64_t>& sizes, const void* bytes) {
  const OpenVinoC& api = openvino_c();
  ov_shape_t shape{};
  ov_tensor_t* tensor = nullptr;
  if (api.create_shape(static_cast<int64_t>(sizes.size()), sizes.data(), &shape) != OK) {
    return nullptr;
  }
  api.create_tensor(type, shape, const_cast<void*>(bytes), &tensor);
  api.free_shape(&shape);
  return tensor;
}

class CpuModel : public Model {
 public:
  explicit CpuModel(std::vector<Argument> arguments)
      : arguments_(std::move(arguments)), bound_(arguments_.size(), nullptr) {}

  ~CpuModel() override {
    const OpenVinoC& api = openvino_c();
    if (request_) api.free_request(request_);
    if (compiled_) api.free_compiled(compiled_);
    if (model_) api.free_model(model_);
  }

  /// Returns why it is not taken, or "". The weights must stay where they are.
  std::string compile(std::string_view xml, std::span<const uint8_t> weights) {
    const OpenVinoC& api = openvino_c();
    ov_tensor_t* blob = weights.empty()
                            ? nullptr
                            : wrap(U8, {static_cast<int64_t>(weights.size())}, weights.data());
    const bool is_read = api.read_model(api.core, xml.data(), xml.size(), blob, &model_) == OK;
    if (blob) api.free_tensor(blob);
    if (!is_read) return api.last_error();
    const std::string threads = std::to_string(settings().threads);
    std::vector<ov_property_t> properties = {{"INFERENCE_PRECISION_HINT", "f32"},
                                             {"DYNAMIC_QUANTIZATION_GROUP_SIZE", "0"},
                                             {"PERFORMANCE_HINT", "LATENCY"}};
    if (settings().threads) properties.push_back({"INFERENCE_NUM_THREADS", threads.c_str()});
    const bool is_compiled = api.compile_model(api.core, model_, "CPU", properties.size(),
                                               properties.data(), &compiled_) == OK;
    if (!is_compiled || api.create_infer_request(compiled_, &request_) != OK) {
      return api.last_error();
    }
    return "";
  }

  /// Keeps a rewritten graph's weights.
  void keep(std::vector<uint8_t> weights) { weights_ = std::move(weights); }
  std::span<const uint8_t> kept() const { return weights_; }

  std::string run(std::span<void* const> addresses) override {
    const std::lock_guard lock(mutex_);
    for (size_t index = 0; index < arguments_.size(); ++index) {
      if (bound_[index] == addresses[index]) continue;
      if (!bind(index, addresses[index])) return openvino_c().last_error();
      bound_[index] = addresses[index];
    }
    return openvino_c().infer(request_) == OK ? "" : openvino_c().last_error();
  }

 private:
  bool bind(size_t index, void* address) {
    const OpenVinoC& api = openvino_c();
    const Argument& argument = arguments_[index];
    ov_tensor_t* tensor = wrap(*element_type(argument.type), argument.shape, address);
    if (!tensor) return false;
    size_t inputs = 0;
    while (inputs < arguments_.size() && arguments_[inputs].is_input) ++inputs;
    const auto status = argument.is_input ? api.set_input(request_, index, tensor)
                                          : api.set_output(request_, index - inputs, tensor);
    api.free_tensor(tensor);
    return status == OK;
  }

  const std::vector<Argument> arguments_;
  std::vector<uint8_t> weights_;
  std::mutex mutex_;
  std::vector<void*> bound_;
  ov_model_t* model_ = nullptr;
  ov_compiled_model_t* compiled_ = nullptr;
  ov_infer_request_t* request_ = nullptr;
};

}  // namespace

std::variant<std::unique_ptr<Model>, Refusal> compile_for_cpu(
    const CompilerInput& input, const std::vector<Argument>& arguments,
    const std::string& build_flags) {
  if (!openvino_c().problem.empty()) return Refusal{openvino_c().problem};
  for (const Argument& argument : arguments) {
    if (!element_type(argument.type)) {
      return Refusal{argument.name + ": the CPU plugin takes no tensor of " + argument.type};
    }
  }
  auto model = std::make_unique<CpuModel>(arguments);
  std::string why;
  if (settings().half_arithmetic) {
    RewrittenModel rewritten = with_half_arithmetic(input, build_flags);
    model->keep(std::move(rewritten.weights));
    why = model->compile(rewritten.xml, model->kept());
  } else {
    why = model->compile(input.xml, input.weights);
  }
  if (!why.empty()) return Refusal{std::move(why)};
  return model;
}

}  // namespace npu_emulator
