// Which processors have an NPU, and which PCI device is one. Device numbers and firmware names are
// those of the Linux kernel's intel_vpu driver, processor numbers those of its intel-family.h.
#pragma once

#include <cstdint>
#include <string_view>

namespace ovenbird {

/// One kind of NPU.
struct NpuGeneration {
  std::string_view processors;  // "Lunar Lake"
  std::string_view platform;    // OpenVINO's number: "4000"; empty: this OpenVINO has none for it
  std::string_view firmware;    // the part of a firmware file's name that says which: "40xx"
};

/// None: a device that is no NPU we know.
const NpuGeneration* npu_of_device(int64_t pci_device);

/// The NPU inside Intel's processor of that family and model, as /proc/cpuinfo gives them. None: an
/// older processor, or one that we do not know.
const NpuGeneration* npu_of_processor(int64_t family, int64_t model);

}  // namespace ovenbird
