// Tables of processors and of PCI devices.
#include "doctor/npu_generation.h"

#include <array>

namespace ovenbird {
namespace {

constexpr NpuGeneration kMeteorLake{"Meteor Lake", "3720", "37xx"};
constexpr NpuGeneration kArrowLake{"Arrow Lake", "3720", "37xx"};
constexpr NpuGeneration kLunarLake{"Lunar Lake", "4000", "40xx"};
constexpr NpuGeneration kPantherLake{"Panther Lake", "5010", "50xx"};
constexpr NpuGeneration kWildcatLake{"Wildcat Lake", "5020", "50xx"};
constexpr NpuGeneration kNovaLake{"Nova Lake", "", "60xx"};

struct Device {
  int64_t id;
  const NpuGeneration* generation;
};

constexpr std::array kDevices = {Device{0x7d1d, &kMeteorLake},  Device{0xad1d, &kArrowLake},
                                 Device{0x643e, &kLunarLake},   Device{0xb03e, &kPantherLake},
                                 Device{0xfd3e, &kWildcatLake}, Device{0xd71d, &kNovaLake}};

struct Processor {
  int64_t family;
  int64_t model;
  const NpuGeneration* generation;
};

constexpr std::array kProcessors = {
    Processor{6, 0xaa, &kMeteorLake},  Processor{6, 0xac, &kMeteorLake},
    Processor{6, 0xb5, &kArrowLake},   Processor{6, 0xc5, &kArrowLake},
    Processor{6, 0xc6, &kArrowLake},   Processor{6, 0xbd, &kLunarLake},
    Processor{6, 0xcc, &kPantherLake}, Processor{6, 0xd5, &kWildcatLake},
    Processor{18, 0x01, &kNovaLake},   Processor{18, 0x03, &kNovaLake}};

}  // namespace

const NpuGeneration* npu_of_device(int64_t pci_device) {
  for (const Device& device : kDevices) {
    if (device.id == pci_device) return device.generation;
  }
  return nullptr;
}

const NpuGeneration* npu_of_processor(int64_t family, int64_t model) {
  for (const Processor& processor : kProcessors) {
    if (processor.family == family && processor.model == model) return processor.generation;
  }
  return nullptr;
}

}  // namespace ovenbird
