// Finds libopenvino_c beside the libopenvino that is loaded.
#include "src/openvino_c.h"

#include <dlfcn.h>
#include <link.h>

#include <cstring>

namespace npu_emulator {
namespace {

constexpr const char* kLibrary = "/libopenvino.so";

int find_openvino(dl_phdr_info* info, size_t, void* found) {
  if (!info->dlpi_name || !std::strstr(info->dlpi_name, kLibrary)) return 0;
  *static_cast<std::string*>(found) = info->dlpi_name;
  return 1;
}

/// ".../libopenvino.so.2641" to ".../libopenvino_c.so.2641".
std::string path_of_openvino_c() {
  std::string path;
  ::dl_iterate_phdr(find_openvino, &path);
  if (!path.empty()) path.insert(path.rfind(kLibrary) + std::strlen("/libopenvino"), "_c");
  return path;
}

template <typename Function>
void find(void* library, const char* name, Function& function, std::string& problem) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  if (!function && problem.empty()) problem = std::string("libopenvino_c has no ") + name;
}

OpenVinoC load() {
  OpenVinoC api{};
  const std::string path = path_of_openvino_c();
  if (path.empty()) {
    api.problem = "no libopenvino.so is loaded in this process";
    return api;
  }
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    api.problem = ::dlerror();
    return api;
  }
  const auto get = [&](const char* name, auto& function) {
    find(library, name, function, api.problem);
  };
  get("ov_core_create", api.core_create);
  get("ov_core_read_model_from_memory_buffer", api.read_model);
  get("ov_core_compile_model_props", api.compile_model);
  get("ov_compiled_model_create_infer_request", api.create_infer_request);
  get("ov_infer_request_set_input_tensor_by_index", api.set_input);
  get("ov_infer_request_set_output_tensor_by_index", api.set_output);
  get("ov_infer_request_infer", api.infer);
  get("ov_tensor_create_from_host_ptr", api.create_tensor);
  get("ov_shape_create", api.create_shape);
  get("ov_get_last_err_msg", api.last_message);
  get("ov_free", api.free_text);
  get("ov_infer_request_free", api.free_request);
  get("ov_compiled_model_free", api.free_compiled);
  get("ov_model_free", api.free_model);
  get("ov_tensor_free", api.free_tensor);
  get("ov_shape_free", api.free_shape);
  if (api.problem.empty() && api.core_create(&api.core) != OK) {
    api.problem = "OpenVINO gave no second core";
  }
  return api;
}

}  // namespace

std::string OpenVinoC::last_error() const {
  const char* message = last_message();  // a copy that is ours; nullptr if it has nothing to say
  if (!message) return "OpenVINO does not say why";
  std::string text = message;
  free_text(message);
  return text;
}

const OpenVinoC& openvino_c() {
  static const OpenVinoC& the_api = *new OpenVinoC(load());  // outlives every thread
  return the_api;
}

}  // namespace npu_emulator
