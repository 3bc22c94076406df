// Looking through the table of NPUs.
#include "base/npu_generation.h"

#include <algorithm>

namespace ovenbird {

const NpuGeneration* npu_of_device(int64_t pci_device) {
  for (const NpuGeneration& generation : kNpuGenerations) {
    if (generation.pci_device == pci_device) return &generation;
  }
  return nullptr;
}

const NpuGeneration* npu_of_processor(int64_t family, int64_t model) {
  if (family < 0) return nullptr;
  for (const NpuGeneration& generation : kNpuGenerations) {
    const auto is_it = [&](const ProcessorNumber& number) {
      return number.family == family && number.model == model;
    };
    if (std::any_of(generation.numbers.begin(), generation.numbers.end(), is_it)) {
      return &generation;
    }
  }
  return nullptr;
}

std::string processors_of_platform(std::string_view platform) {
  std::string all;
  for (const NpuGeneration& generation : kNpuGenerations) {
    if (platform.empty() || generation.platform != platform) continue;
    if (!all.empty()) all += " and ";
    all += generation.processors;
  }
  return all;
}

}  // namespace ovenbird
