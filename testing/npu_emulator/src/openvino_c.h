// OpenVINO's C interface in the libraries that this process has loaded already: whoever loaded this
// driver is OpenVINO, and its CPU plugin does the computing.
#pragma once

#include <openvino/c/openvino.h>

#include <string>

namespace npu_emulator {

/// The functions used, by their own names.
struct OpenVinoC {
  decltype(&::ov_core_create) core_create;
  decltype(&::ov_core_read_model_from_memory_buffer) read_model;
  decltype(&::ov_core_compile_model_props) compile_model;
  decltype(&::ov_compiled_model_create_infer_request) create_infer_request;
  decltype(&::ov_infer_request_set_input_tensor_by_index) set_input;
  decltype(&::ov_infer_request_set_output_tensor_by_index) set_output;
  decltype(&::ov_infer_request_infer) infer;
  decltype(&::ov_tensor_create_from_host_ptr) create_tensor;
  decltype(&::ov_shape_create) create_shape;
  decltype(&::ov_get_last_err_msg) last_message;
  decltype(&::ov_free) free_text;
  decltype(&::ov_infer_request_free) free_request;
  decltype(&::ov_compiled_model_free) free_compiled;
  decltype(&::ov_model_free) free_model;
  decltype(&::ov_tensor_free) free_tensor;
  decltype(&::ov_shape_free) free_shape;

  ov_core_t* core = nullptr;
  std::string problem;  // why there is none; empty if all is well

  /// What OpenVINO says about the last call that failed; never empty.
  std::string last_error() const;
};

/// Loaded at the first call. Its core is a second one beside the caller's.
const OpenVinoC& openvino_c();

}  // namespace npu_emulator
