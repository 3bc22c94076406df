// The driver as a program sees it: a library opened at run time, and functions with C names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "abi/npu_extensions.h"

namespace npu_emulator {

/// The functions of the library that tests call.
struct Driver {
  ZeResult (*get_loader_version)(ZeComponentVersion*);
  ZeResult (*get_loader_versions)(size_t*, ZeComponentVersion*);
  ZeResult (*init_drivers)(uint32_t*, ZeHandle*, const ZeInitDriverType*);
  ZeResult (*get_driver)(uint32_t*, ZeHandle*);
  ZeResult (*get_api_version)(ZeHandle, uint32_t*);
  ZeResult (*get_driver_properties)(ZeHandle, ZeDriverProperties*);
  ZeResult (*get_extensions)(ZeHandle, uint32_t*, ZeExtensionProperties*);
  ZeResult (*get_extension_table)(ZeHandle, const char*, void**);
  ZeResult (*get_device)(ZeHandle, uint32_t*, ZeHandle*);
  ZeResult (*get_device_properties)(ZeHandle, ZeDeviceProperties*);
  ZeResult (*get_device_status)(ZeHandle);
  ZeResult (*get_queue_groups)(ZeHandle, uint32_t*, ZeQueueGroupProperties*);
  ZeResult (*get_external_memory)(ZeHandle, ZeExternalMemoryProperties*);
  ZeResult (*create_context)(ZeHandle, const void*, ZeHandle*);
  ZeResult (*destroy_context)(ZeHandle);
  ZeResult (*allocate)(ZeHandle, const ZeHostMemoryDesc*, size_t bytes, size_t alignment, void**);
  ZeResult (*free)(ZeHandle, void*);
  ZeResult (*get_allocation)(ZeHandle, const void*, ZeAllocationProperties*, ZeHandle*);
  ZeResult (*get_address_range)(ZeHandle, const void*, void**, size_t*);
  ZeResult (*create_queue)(ZeHandle, ZeHandle, const ZeQueueDesc*, ZeHandle*);
  ZeResult (*destroy_queue)(ZeHandle);
  ZeResult (*execute)(ZeHandle queue, uint32_t count, ZeHandle* lists, ZeHandle fence);
  ZeResult (*create_fence)(ZeHandle queue, const void*, ZeHandle*);
  ZeResult (*destroy_fence)(ZeHandle);
  ZeResult (*reset_fence)(ZeHandle);
  ZeResult (*wait_for_fence)(ZeHandle, uint64_t timeout_ns);
  ZeResult (*create_list)(ZeHandle, ZeHandle, const void*, ZeHandle*);
  ZeResult (*destroy_list)(ZeHandle);
  ZeResult (*close_list)(ZeHandle);
  ZeResult (*reset_list)(ZeHandle);
  ZeResult (*append_barrier)(ZeHandle, ZeHandle signal, uint32_t, ZeHandle* waits);
  ZeResult (*append_copy)(ZeHandle, void*, const void*, size_t, ZeHandle, uint32_t, ZeHandle*);
  ZeResult (*append_timestamp)(ZeHandle, uint64_t*, ZeHandle, uint32_t, ZeHandle*);
  ZeResult (*append_signal)(ZeHandle, ZeHandle event);
  ZeResult (*append_event_reset)(ZeHandle, ZeHandle event);
  ZeResult (*append_wait)(ZeHandle, uint32_t, ZeHandle* events);
  ZeResult (*get_next_command_id)(ZeHandle, const ZeMutableCommandId*, uint64_t*);
  ZeResult (*update_commands)(ZeHandle, const ZeMutableCommands*);
  ZeResult (*create_event_pool)(ZeHandle, const void*, uint32_t, ZeHandle*, ZeHandle*);
  ZeResult (*destroy_event_pool)(ZeHandle);
  ZeResult (*create_event)(ZeHandle, const void*, ZeHandle*);
  ZeResult (*destroy_event)(ZeHandle);
  ZeResult (*reset_event)(ZeHandle);
  ZeResult (*signal_event)(ZeHandle);
  ZeResult (*query_event)(ZeHandle);
  ZeResult (*wait_for_event)(ZeHandle, uint64_t timeout_ns);
  GraphTable graph;  // the graph extension's
};

/// Opens the library, with the echo backend unless the environment names one, and starts it.
const Driver& driver();

/// A function of the library by its C name; nullptr: there is none.
void* symbol(const char* name);

inline constexpr uint64_t kForEver = UINT64_MAX;  // a time-out that never comes

/// Something that the driver made, and how it is given back.
using Handle = std::unique_ptr<void, std::function<void(void*)>>;

Handle make_queue();
Handle make_list();
Handle make_fence();
Handle make_event();

/// Memory of the driver's own: whole pages of zeros.
Handle make_memory(size_t bytes);

struct Compiled {
  ZeResult result = ZeResult::kUnknown;
  Handle graph;
  std::string log;
};

/// Through create3, whose log belongs to this call.
Compiled compile(std::span<const uint8_t> ir, const char* build_flags = "");
Compiled import_blob(std::span<const uint8_t> blob);
std::vector<uint8_t> blob_of(ZeHandle graph);

/// A compiled graph with memory for its arguments, recorded in a closed list.
struct Recorded {
  Handle graph, list;
  std::vector<Handle> memory;  // one for each argument
  uint64_t command_id = 0;     // for changing it

  float* numbers(size_t argument) const { return static_cast<float*>(memory[argument].get()); }
};

/// Fails the test if the graph is not taken.
Recorded record(std::span<const uint8_t> ir);

/// A queue with a fence.
struct Lane {
  Handle queue = make_queue();
  Handle fence = make_fence();

  ZeResult submit(ZeHandle list) const;
  ZeResult wait(uint64_t timeout_ns = kForEver) const;
  ZeResult run(ZeHandle list) const;  // what the submission says, or else the fence
};

}  // namespace npu_emulator
