// Contexts, memory, queues, command lists, fences and events by their C names.
#include "abi/npu_extensions.h"
#include "src/command_list.h"
#include "src/export.h"
#include "src/faults.h"
#include "src/handles.h"
#include "src/memory.h"
#include "src/queue.h"
#include "src/record.h"
#include "src/trace.h"

namespace npu_emulator {

// ---- contexts: nothing is kept in one

NPU_EMULATOR_EXPORT ZeResult zeContextCreate(ZeHandle, const void*, ZeHandle* context) {
  *context = new int(0);
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeContextDestroy(ZeHandle context) {
  delete static_cast<int*>(context);
  return ZeResult::kSuccess;
}

// ---- memory

NPU_EMULATOR_EXPORT ZeResult zeMemAllocHost(ZeHandle, const ZeHostMemoryDesc* desc, size_t bytes,
                                            size_t alignment, void** address) {
  if (!desc || !address) return ZeResult::kInvalidNullPointer;
  const bool write_combined = (desc->flags & kZeHostWriteCombined) != 0;
  for (const ZeHeader* next = desc->header.next; next; next = next->next) {
    if (next->type == kZeImportUserMemory) {
      const auto* import = reinterpret_cast<const ZeImportUserMemory*>(next);
      *address = import->address;
      return device_memory().import(import->address, import->bytes, write_combined);
    }
    if (next->type == kZeImportDescriptor) {
      const auto* import = reinterpret_cast<const ZeImportDescriptor*>(next);
      return device_memory().import_descriptor(import->fd, bytes, address);
    }
  }
  return device_memory().allocate(bytes, alignment, write_combined, address);
}

NPU_EMULATOR_EXPORT ZeResult zeMemAllocDevice(ZeHandle, const void*, size_t bytes, size_t alignment,
                                              ZeHandle, void** address) {
  return device_memory().allocate(bytes, alignment, false, address);
}

NPU_EMULATOR_EXPORT ZeResult zeMemAllocShared(ZeHandle, const void*, const void*, size_t bytes,
                                              size_t alignment, ZeHandle, void** address) {
  return device_memory().allocate(bytes, alignment, false, address);
}

NPU_EMULATOR_EXPORT ZeResult zeMemFree(ZeHandle, void* address) {
  return device_memory().free(address);
}

NPU_EMULATOR_EXPORT ZeResult zeMemGetAllocProperties(ZeHandle, const void* address,
                                                     ZeAllocationProperties* properties,
                                                     ZeHandle* device) {
  const auto memory = device_memory().find(address);
  properties->type = memory ? kZeMemoryHost : kZeMemoryUnknown;
  properties->id = memory ? memory->id : 0;
  properties->page_bytes = memory ? kPageBytes : 0;
  if (device) *device = nullptr;
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeMemGetAddressRange(ZeHandle, const void* address, void** start,
                                                  size_t* bytes) {
  const auto memory = device_memory().find(address);
  if (!memory) return ZeResult::kInvalidArgument;
  if (start) *start = memory->start;
  if (bytes) *bytes = memory->bytes;
  return ZeResult::kSuccess;
}

// ---- queues and fences

NPU_EMULATOR_EXPORT ZeResult zeCommandQueueCreate(ZeHandle, ZeHandle, const ZeQueueDesc*,
                                                  ZeHandle* queue) {
  if (is_device_lost()) return ZeResult::kDeviceLost;
  *queue = new Queue;
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeCommandQueueDestroy(ZeHandle queue) {
  delete static_cast<Queue*>(queue);
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeCommandQueueExecuteCommandLists(ZeHandle queue, uint32_t count,
                                                               ZeHandle* lists, ZeHandle fence) {
  std::vector<std::shared_ptr<CommandList>> submitted;
  for (uint32_t index = 0; index < count; ++index) {
    submitted.push_back(object_of<CommandList>(lists[index]));
  }
  return static_cast<Queue*>(queue)->submit(submitted, fence ? object_of<Signal>(fence) : nullptr);
}

NPU_EMULATOR_EXPORT ZeResult zeFenceCreate(ZeHandle, const void*, ZeHandle* fence) {
  *fence = make_handle(std::make_shared<Signal>());
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeFenceDestroy(ZeHandle fence) {
  destroy_handle<Signal>(fence);
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeFenceReset(ZeHandle fence) {
  object_of<Signal>(fence)->reset();
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeFenceHostSynchronize(ZeHandle fence, uint64_t timeout_ns) {
  return object_of<Signal>(fence)->wait(timeout_ns);
}

// ---- command lists

NPU_EMULATOR_EXPORT ZeResult zeCommandListCreate(ZeHandle, ZeHandle, const void*, ZeHandle* list) {
  *list = make_handle(std::make_shared<CommandList>());
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeCommandListDestroy(ZeHandle list) {
  destroy_handle<CommandList>(list);
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeCommandListClose(ZeHandle list) {
  object_of<CommandList>(list)->close();
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeCommandListReset(ZeHandle list) {
  object_of<CommandList>(list)->reset();
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeCommandListAppendBarrier(ZeHandle list, ZeHandle signal,
                                                        uint32_t count, ZeHandle* waits) {
  record(list, std::nullopt, {.signal = signal, .waits = {waits, count}});
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeCommandListAppendMemoryCopy(ZeHandle list, void* to,
                                                           const void* from, size_t bytes,
                                                           ZeHandle signal, uint32_t count,
                                                           ZeHandle* waits) {
  record(list, CopyBytes{to, from, bytes}, {.signal = signal, .waits = {waits, count}});
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeCommandListAppendWriteGlobalTimestamp(ZeHandle list, uint64_t* to,
                                                                     ZeHandle signal,
                                                                     uint32_t count,
                                                                     ZeHandle* waits) {
  record(list, WriteTimestamp{to}, {.signal = signal, .waits = {waits, count}});
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeCommandListAppendSignalEvent(ZeHandle list, ZeHandle event) {
  object_of<CommandList>(list)->append(SetSignal{object_of<Signal>(event)});
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeCommandListAppendEventReset(ZeHandle list, ZeHandle event) {
  object_of<CommandList>(list)->append(ResetSignal{object_of<Signal>(event)});
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeCommandListAppendWaitOnEvents(ZeHandle list, uint32_t count,
                                                             ZeHandle* events) {
  record(list, std::nullopt, {.signal = nullptr, .waits = {events, count}});
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeCommandListGetNextCommandIdExp(ZeHandle list,
                                                              const ZeMutableCommandId*,
                                                              uint64_t* id) {
  *id = object_of<CommandList>(list)->next_id();
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult
zeCommandListUpdateMutableCommandsExp(ZeHandle list, const ZeMutableCommands* changes) {
  for (const ZeHeader* next = changes->header.next; next; next = next->next) {
    if (next->type != kZeMutableGraphArgument && next->type != kZeMutableGraphArgumentOld) continue;
    const auto* change = reinterpret_cast<const ZeMutableGraphArgument*>(next);
    if (!change->value) return ZeResult::kInvalidNullPointer;
    // The plugin gives either the bytes or a description of them, which lies in its own memory.
    const void* address = change->value;
    if (!device_memory().find(address)) {
      const auto* tensor = static_cast<const ArgumentTensor*>(address);
      if (tensor->header.type != kArgumentTensor) return ZeResult::kInvalidArgument;
      address = tensor->bytes;
    }
    const ZeResult result =
        object_of<CommandList>(list)->rebind(change->command_id, change->index, address);
    if (result != ZeResult::kSuccess) return result;
  }
  return ZeResult::kSuccess;
}

// ---- events: signals that command lists set and wait for

NPU_EMULATOR_EXPORT ZeResult zeEventPoolCreate(ZeHandle, const void*, uint32_t, ZeHandle*,
                                               ZeHandle* pool) {
  *pool = new int(0);
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeEventPoolDestroy(ZeHandle pool) {
  delete static_cast<int*>(pool);
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeEventCreate(ZeHandle, const void*, ZeHandle* event) {
  *event = make_handle(std::make_shared<Signal>());
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeEventDestroy(ZeHandle event) {
  destroy_handle<Signal>(event);
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeEventHostReset(ZeHandle event) {
  object_of<Signal>(event)->reset();
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeEventHostSignal(ZeHandle event) {
  object_of<Signal>(event)->set(ZeResult::kSuccess);
  return ZeResult::kSuccess;
}

NPU_EMULATOR_EXPORT ZeResult zeEventQueryStatus(ZeHandle event) {
  return object_of<Signal>(event)->is_set() ? ZeResult::kSuccess : ZeResult::kNotReady;
}

NPU_EMULATOR_EXPORT ZeResult zeEventHostSynchronize(ZeHandle event, uint64_t timeout_ns) {
  return object_of<Signal>(event)->wait(timeout_ns);
}

}  // namespace npu_emulator
