// Properties, device by device.
#include "engine/device_properties.h"

#include <openvino/runtime/intel_npu/properties.hpp>
#include <openvino/runtime/properties.hpp>

#include "base/npu_generation.h"
#include "engine/openvino_core.h"

namespace ovenbird {
namespace {

ov::AnyMap cpu_properties(const EngineOptions& options) {
  ov::AnyMap properties{ov::hint::inference_precision(ov::element::f32),
                        ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY),
                        ov::hint::enable_cpu_pinning(false)};
  // Rounding a matmul's inputs to 8 bit makes int4 and int8 steps up to twice as fast.
  if (options.exact) properties.insert(ov::hint::dynamic_quantization_group_size(0));
  if (options.threads > 0) {
    properties.insert(ov::inference_num_threads(static_cast<int32_t>(options.threads)));
  }
  return properties;
}

/// What Intel's documents advise for language models. The layers are types of operations, but for
/// "Add_RMSNorm": an addition between a ReduceMean and a Sqrt, which a sum of squares overflows.
ov::AnyMap npu_properties() {
  const std::string architecture = openvino_core().get_property("NPU", ov::device::architecture);
  std::string mode = "compute-layers-with-higher-precision=Sqrt,Power,ReduceMean,Add_RMSNorm";
  // Its compiler has a third level of optimization, which Intel advises there.
  if (architecture == kLunarLake.platform) mode += " optimization-level=3";
  ov::AnyMap wanted{{"NPU_COMPILER_DYNAMIC_QUANTIZATION", "YES"},
                    {"NPU_COMPILATION_MODE_PARAMS", mode},
                    ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY)};
  // Meteor and Arrow Lake have two tiles, for which the compiler's own choice is right.
  if (architecture != kMeteorLake.platform &&
      knows_property("NPU", ov::intel_npu::max_tiles.name())) {
    wanted["NPU_TILES"] = openvino_core().get_property("NPU", ov::intel_npu::max_tiles);
  }
  ov::AnyMap properties;
  for (const auto& [name, value] : wanted) {
    if (knows_property("NPU", name)) properties[name] = value;
  }
  return properties;
}

}  // namespace

ov::AnyMap properties_for(const std::string& device, const EngineOptions& options) {
  if (device == "CPU") return cpu_properties(options);
  if (device == "NPU") return npu_properties();
  return {ov::hint::inference_precision(ov::element::f16)};
}

ov::AnyMap folded(ov::AnyMap properties, const std::string& bank, CacheType cache) {
  // Properties of the wrapper's own: the plugin passes them on and does not list them.
  properties["NPU_USE_NPUW"] = "YES";
  properties["NPUW_DEVICES"] = "NPU";  // else what an NPU does not take goes to the CPU in silence
  properties["NPUW_FOLD"] = "YES";
  properties["NPUW_FUNCALL_FOR_ALL"] = "YES";
  properties["NPUW_DQ"] = "YES";
  properties["NPUW_WEIGHTS_BANK"] = bank;
  // By itself it has functions give each other halves, the rows of a cache of f32 among them, and
  // then takes no memory of f32 for these.
  if (cache == CacheType::kF32) properties["NPUW_F16IC"] = "NO";
  return properties;
}

}  // namespace ovenbird
