// Tensors over the caller's memory, as a device wants them. Included by the files that see OpenVINO
// only.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <openvino/runtime/remote_tensor.hpp>
#include <openvino/runtime/tensor.hpp>
#include <span>

#include "base/tensor_stack.h"

namespace ovenbird {

/// A tensor, and what must live as long as anybody uses it.
struct DeviceTensor {
  ov::Tensor tensor;
  std::shared_ptr<void> import;  // empty where the device reads the memory as it is
};

class DeviceTensors {
 public:
  virtual ~DeviceTensors() = default;

  /// A dense tensor at `start`, which begins a page and owns its last page.
  virtual DeviceTensor at(void* start, ov::element::Type type, const ov::Shape& shape) = 0;

  /// The tensor at `index` of a stack; `shape` begins with 1.
  virtual DeviceTensor in(const TensorStack& stack, size_t index, ov::element::Type type,
                          const ov::Shape& shape) = 0;

  /// The first `shape[1]` rows of a block of whole pages, of which others may want more or fewer;
  /// `shape` is [1, rows, columns].
  virtual DeviceTensor front_of(std::span<std::byte> pages, ov::element::Type type,
                                const ov::Shape& shape) = 0;
};

/// For CPU and GPU: the memory as it is.
std::unique_ptr<DeviceTensors> host_tensors();

/// For the NPU: memory that the driver has imported, each block once, so that the device itself
/// reads and writes it. Throws what OpenVINO throws where the driver imports no memory.
std::unique_ptr<DeviceTensors> imported_tensors();

}  // namespace ovenbird
