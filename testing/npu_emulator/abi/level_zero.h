// The part of Level Zero's binary interface that OpenVINO's NPU plugin uses, in our own words:
// x86-64 Linux, API 1.x. Layouts are asserted; see abi/npu_extensions.h for what Intel's NPU driver
// adds.
//
// Every structure that is passed by pointer begins with a type and a chain of further structures.
#pragma once

#include <cstddef>
#include <cstdint>

namespace npu_emulator {

enum class ZeResult : uint32_t {
  kSuccess = 0,
  kNotReady = 1,
  kDeviceLost = 0x70000001,
  kOutOfHostMemory = 0x70000002,
  kOutOfDeviceMemory = 0x70000003,
  kUnsupportedFeature = 0x78000003,
  kInvalidArgument = 0x78000004,
  kInvalidNullPointer = 0x78000007,
  kInvalidSize = 0x78000008,
  kUnsupportedSize = 0x78000009,
  kUnsupportedAlignment = 0x7800000a,
  kInvalidEnumeration = 0x7800000c,
  kInvalidNativeBinary = 0x7800000f,
  kUnknown = 0x7ffffffe,
};

/// Versions are major << 16 | minor.
constexpr uint32_t version(uint32_t major, uint32_t minor) { return major << 16 | minor; }

/// All handles are opaque to the caller; what they point at is this library's business.
using ZeHandle = void*;

/// How every chained structure begins.
struct ZeHeader {
  uint32_t type;
  ZeHeader* next;
};
static_assert(sizeof(ZeHeader) == 16);

// Types of chained structures that this library looks for.
inline constexpr uint32_t kZeImportDescriptor = 0x19;         // of a file descriptor
inline constexpr uint32_t kZeMutableGraphArgument = 0x20020;  // in a mutable command list
inline constexpr uint32_t kZeMutableGraphArgumentOld = 7;
inline constexpr uint32_t kZeImportUserMemory = 0x20037;  // of memory that the process has already

struct ZeUuid {
  uint8_t bytes[16];
};

struct ZeInitDriverType {
  ZeHeader header;
  uint32_t flags;
};
static_assert(sizeof(ZeInitDriverType) == 24 && offsetof(ZeInitDriverType, flags) == 16);
inline constexpr uint32_t kZeDriverTypeNpu = 2;

struct ZeComponentVersion {
  char name[64];
  uint32_t spec_version;
  int32_t major, minor, patch;
};
static_assert(sizeof(ZeComponentVersion) == 80 && offsetof(ZeComponentVersion, major) == 68);

struct ZeDriverProperties {
  ZeHeader header;
  ZeUuid uuid;
  uint32_t driver_version;
};
static_assert(sizeof(ZeDriverProperties) == 40 && offsetof(ZeDriverProperties, uuid) == 16);
static_assert(offsetof(ZeDriverProperties, driver_version) == 32);

struct ZeExtensionProperties {
  char name[256];
  uint32_t version;
};
static_assert(sizeof(ZeExtensionProperties) == 260);

struct ZeDeviceProperties {
  ZeHeader header;
  uint32_t type;
  uint32_t vendor_id;
  uint32_t device_id;
  uint32_t flags;
  uint32_t subdevice_id;
  uint32_t core_clock_rate;  // MHz
  uint64_t max_allocation_bytes;
  uint32_t max_hardware_contexts;
  uint32_t max_queue_priority;
  uint32_t threads_per_eu;
  uint32_t eu_simd_width;
  uint32_t eus_per_subslice;
  uint32_t subslices_per_slice;
  uint32_t slices;            // an NPU's tiles
  uint64_t timer_resolution;  // nanoseconds a tick
  uint32_t timestamp_bits;
  uint32_t kernel_timestamp_bits;
  ZeUuid uuid;
  char name[256];
};
static_assert(sizeof(ZeDeviceProperties) == 368 && offsetof(ZeDeviceProperties, device_id) == 24);
static_assert(offsetof(ZeDeviceProperties, max_allocation_bytes) == 40);
static_assert(offsetof(ZeDeviceProperties, slices) == 72);
static_assert(offsetof(ZeDeviceProperties, timer_resolution) == 80);
static_assert(offsetof(ZeDeviceProperties, uuid) == 96 &&
              offsetof(ZeDeviceProperties, name) == 112);
inline constexpr uint32_t kZeDeviceTypeNpu = 5;

struct ZeQueueGroupProperties {
  ZeHeader header;
  uint32_t flags;
  size_t max_fill_pattern_bytes;
  uint32_t queues;
};
static_assert(sizeof(ZeQueueGroupProperties) == 40 &&
              offsetof(ZeQueueGroupProperties, queues) == 32);
inline constexpr uint32_t kZeQueueGroupCompute = 1;
inline constexpr uint32_t kZeQueueGroupCopy = 2;

struct ZeExternalMemoryProperties {
  ZeHeader header;
  uint32_t memory_import_types;
  uint32_t memory_export_types;
  uint32_t image_import_types;
  uint32_t image_export_types;
};
static_assert(sizeof(ZeExternalMemoryProperties) == 32);
inline constexpr uint32_t kZeExternalDmaBuf = 2;
inline constexpr uint32_t kZeExternalUserMemory = 0x100;  // the NPU driver's own flag

struct ZePciProperties {
  ZeHeader header;
  uint32_t domain, bus, device, function;
  int32_t generation, width;
  int64_t bytes_per_second;
};
static_assert(sizeof(ZePciProperties) == 48 && offsetof(ZePciProperties, generation) == 32);

struct ZeHostMemoryDesc {
  ZeHeader header;
  uint32_t flags;
};
static_assert(sizeof(ZeHostMemoryDesc) == 24 && offsetof(ZeHostMemoryDesc, flags) == 16);
inline constexpr uint32_t kZeHostWriteCombined = 4;  // the plugin's inputs; read by the device only

/// Chained to ZeHostMemoryDesc: import the process's own pages.
struct ZeImportUserMemory {
  ZeHeader header;
  void* address;
  uint64_t bytes;
};
static_assert(sizeof(ZeImportUserMemory) == 32 && offsetof(ZeImportUserMemory, bytes) == 24);

/// Chained to ZeHostMemoryDesc: import what a file descriptor stands for.
struct ZeImportDescriptor {
  ZeHeader header;
  uint32_t flags;
  int fd;
};
static_assert(sizeof(ZeImportDescriptor) == 24 && offsetof(ZeImportDescriptor, fd) == 20);

struct ZeAllocationProperties {
  ZeHeader header;
  uint32_t type;
  uint64_t id;
  uint64_t page_bytes;
};
static_assert(sizeof(ZeAllocationProperties) == 40 && offsetof(ZeAllocationProperties, id) == 24);
inline constexpr uint32_t kZeMemoryUnknown = 0;
inline constexpr uint32_t kZeMemoryHost = 1;

struct ZeQueueDesc {
  ZeHeader header;
  uint32_t ordinal, index, flags, mode, priority;
};
static_assert(sizeof(ZeQueueDesc) == 40 && offsetof(ZeQueueDesc, priority) == 32);

struct ZeMutableCommandId {
  ZeHeader header;
  uint32_t flags;
};
static_assert(sizeof(ZeMutableCommandId) == 24);

struct ZeMutableCommands {
  ZeHeader header;  // the changes are chained to it
  uint32_t flags;
};
static_assert(sizeof(ZeMutableCommands) == 24);

struct ZeMutableGraphArgument {
  ZeHeader header;
  uint64_t command_id;
  uint32_t index;
  const void* value;
};
static_assert(sizeof(ZeMutableGraphArgument) == 40);
static_assert(offsetof(ZeMutableGraphArgument, command_id) == 16);
static_assert(offsetof(ZeMutableGraphArgument, index) == 24);
static_assert(offsetof(ZeMutableGraphArgument, value) == 32);

}  // namespace npu_emulator
