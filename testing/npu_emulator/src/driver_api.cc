// Loader, driver and device: what there is, and which extensions it has.
#include <unistd.h>

#include <algorithm>
#include <array>

#include "abi/npu_extensions.h"
#include "base/npu_generation.h"
#include "src/export.h"
#include "src/extension_tables.h"
#include "src/faults.h"
#include "src/fixed_text.h"
#include "src/memory.h"
#include "src/settings.h"
#include "src/trace.h"

namespace npu_emulator {
namespace {

constexpr ZeUuid kDriverUuid = {0x01, 0x7d, 0xe9, 0x31, 0x6b, 0x4d, 0x4f, 0xd4,
                                0xaa, 0x9b, 0x5b, 0xed, 0x77, 0xfc, 0x8e, 0x89};
constexpr ZeUuid kDeviceUuid = {0x80, 0xd1, 0xd1, 0x1e, 0xb7, 0x38, 0x11, 0xea,
                                0xb3, 0xde, 0x02, 0x42, 0xac, 0x13, 0x00, 0x04};
constexpr uint32_t kApiVersion = version(1, 15);

// There is one driver with one device; their handles only need to be something.
int g_driver, g_device;

ZeResult give_one(uint32_t* count, ZeHandle* handles, ZeHandle one) {
  if (!count) return ZeResult::kInvalidNullPointer;
  if (handles && *count >= 1) handles[0] = one;
  *count = 1;
  return ZeResult::kSuccess;
}

struct Platform {
  uint32_t device_id;
  uint32_t tiles;
};

Platform platform_facts() {
  switch (settings().platform) {
    case ovenbird::NpuPlatform::k3720:
      return {.device_id = ovenbird::kMeteorLake.pci_device, .tiles = 2};
    case ovenbird::NpuPlatform::k5010:
      return {.device_id = ovenbird::kPantherLake.pci_device, .tiles = 3};
    case ovenbird::NpuPlatform::k4000:
      break;
  }
  return {.device_id = ovenbird::kLunarLake.pci_device, .tiles = 6};
}

}  // namespace

NPU_EMULATOR_EXPORT ZeResult zeInit(uint32_t) { return ZeResult::kSuccess; }

NPU_EMULATOR_EXPORT ZeResult zeInitDrivers(uint32_t* count, ZeHandle* drivers,
                                           const ZeInitDriverType* wanted) {
  if (!count || !wanted) return ZeResult::kInvalidNullPointer;
  if (!(wanted->flags & kZeDriverTypeNpu)) {
    *count = 0;
    return ZeResult::kSuccess;
  }
  static const bool started = [] {
    trace("start", {{"pid", ::getpid()},
                    {"platform", name_of(settings().platform)},
                    {"driver_version", settings().driver_version}});
    return true;
  }();
  (void)started;
  return give_one(count, drivers, &g_driver);
}

NPU_EMULATOR_EXPORT ZeResult zeDriverGet(uint32_t* count, ZeHandle* drivers) {
  return give_one(count, drivers, &g_driver);
}

NPU_EMULATOR_EXPORT ZeResult zelGetLoaderVersion(ZeComponentVersion* component) {
  *component = {.name = "loader", .spec_version = kApiVersion, .major = 1, .minor = 27, .patch = 0};
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zelLoaderGetVersions(size_t* count, ZeComponentVersion* components) {
  if (components && *count >= 1) zelGetLoaderVersion(components);
  *count = 1;
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zelSetDriverTeardown() { return ZeResult::kSuccess; }

NPU_EMULATOR_EXPORT ZeResult zeDriverGetApiVersion(ZeHandle, uint32_t* api_version) {
  *api_version = kApiVersion;
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeDriverGetProperties(ZeHandle, ZeDriverProperties* properties) {
  properties->uuid = kDriverUuid;
  properties->driver_version = settings().driver_version;
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeDriverGetExtensionProperties(ZeHandle, uint32_t* count,
                                                            ZeExtensionProperties* properties) {
  struct Extension {
    const char* name;
    uint32_t version;
  };
  constexpr std::array kExtensions = {
      Extension{"ZE_extension_graph", kGraphExtensionVersion},
      Extension{"ZE_extension_graph_1_6", version(1, 6)},
      Extension{"ZE_extension_command_queue_npu", version(1, 1)},
      Extension{"ZE_extension_profiling_data", version(1, 0)},
      Extension{"ZE_extension_driver_npu", version(1, 0)},
      Extension{"ZE_extension_context_npu", version(1, 0)},
      Extension{"ZE_experimental_mutable_command_list", version(1, 1)},
      Extension{"ZE_extension_external_memmap_sysmem", version(1, 0)},  // the last one
  };
  const auto known =
      static_cast<uint32_t>(kExtensions.size() - (settings().imports_memory ? 0 : 1));
  if (properties) {
    for (uint32_t index = 0; index < std::min(known, *count); ++index) {
      properties[index] = {};
      fill_text(properties[index].name, kExtensions[index].name);
      properties[index].version = kExtensions[index].version;
    }
  }
  *count = known;
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeDriverGetExtensionFunctionAddress(ZeHandle, const char* name,
                                                                 void** table) {
  *table = extension_table(name);
  return *table ? ZeResult::kSuccess : ZeResult::kUnsupportedFeature;
}

NPU_EMULATOR_EXPORT ZeResult zeDeviceGet(ZeHandle, uint32_t* count, ZeHandle* devices) {
  return give_one(count, devices, &g_device);
}

NPU_EMULATOR_EXPORT ZeResult zeDeviceGetProperties(ZeHandle, ZeDeviceProperties* properties) {
  const ZeHeader header = properties->header;
  const Platform platform = platform_facts();
  *properties = {.header = header,
                 .type = kZeDeviceTypeNpu,
                 .vendor_id = 0x8086,
                 .device_id = platform.device_id,
                 .core_clock_rate = 1400,
                 .max_allocation_bytes = kAllocationBytesMax,
                 .slices = platform.tiles,
                 .timer_resolution = 1,
                 .timestamp_bits = 64,
                 .kernel_timestamp_bits = 64,
                 .uuid = kDeviceUuid,
                 .name = {}};
  fill_text(properties->name, "Intel(R) AI Boost (emulated)");
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeDeviceGetStatus(ZeHandle) {
  return is_device_lost() ? ZeResult::kDeviceLost : ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeDevicePciGetPropertiesExt(ZeHandle, ZePciProperties* properties) {
  properties->domain = 0;
  properties->bus = 0;
  properties->device = 0xb;
  properties->function = 0;
  properties->generation = -1;  // unknown
  properties->width = -1;
  properties->bytes_per_second = -1;
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeDeviceGetCommandQueueGroupProperties(
    ZeHandle, uint32_t* count, ZeQueueGroupProperties* properties) {
  if (properties && *count >= 1) {
    properties->flags = kZeQueueGroupCompute | kZeQueueGroupCopy;
    properties->max_fill_pattern_bytes = 1;
    properties->queues = 1;
  }
  *count = 1;
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult
zeDeviceGetExternalMemoryProperties(ZeHandle, ZeExternalMemoryProperties* properties) {
  properties->memory_import_types =
      kZeExternalDmaBuf | (settings().imports_memory ? kZeExternalUserMemory : 0);
  properties->memory_export_types = kZeExternalDmaBuf;
  return ZeResult::kSuccess;
}

}  // namespace npu_emulator
