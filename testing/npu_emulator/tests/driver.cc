// Looking up, starting, and giving back.
#include "driver.h"

#include <dlfcn.h>
#include <doctest/doctest.h>

#include <cstdlib>

namespace npu_emulator {
namespace {

void* library() {
  static void* const opened = [] {
    ::setenv("NPU_EMULATOR_BACKEND", "echo", 0);
    return ::dlopen(NPU_EMULATOR_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  }();
  REQUIRE_MESSAGE(opened, ::dlerror());
  return opened;
}

template <typename Function>
void find(const char* name, Function& function) {
  function = reinterpret_cast<Function>(symbol(name));
  const bool is_there = function != nullptr;
  CAPTURE(name);
  REQUIRE(is_there);
}

void find_device_functions(Driver& driver) {
  find("zelGetLoaderVersion", driver.get_loader_version);
  find("zelLoaderGetVersions", driver.get_loader_versions);
  find("zeInitDrivers", driver.init_drivers);
  find("zeDriverGet", driver.get_driver);
  find("zeDriverGetApiVersion", driver.get_api_version);
  find("zeDriverGetProperties", driver.get_driver_properties);
  find("zeDriverGetExtensionProperties", driver.get_extensions);
  find("zeDriverGetExtensionFunctionAddress", driver.get_extension_table);
  find("zeDeviceGet", driver.get_device);
  find("zeDeviceGetProperties", driver.get_device_properties);
  find("zeDeviceGetStatus", driver.get_device_status);
  find("zeDeviceGetCommandQueueGroupProperties", driver.get_queue_groups);
  find("zeDeviceGetExternalMemoryProperties", driver.get_external_memory);
  find("zeContextCreate", driver.create_context);
  find("zeContextDestroy", driver.destroy_context);
  find("zeMemAllocHost", driver.allocate);
  find("zeMemFree", driver.free);
  find("zeMemGetAllocProperties", driver.get_allocation);
  find("zeMemGetAddressRange", driver.get_address_range);
}

void find_command_functions(Driver& driver) {
  find("zeCommandQueueCreate", driver.create_queue);
  find("zeCommandQueueDestroy", driver.destroy_queue);
  find("zeCommandQueueExecuteCommandLists", driver.execute);
  find("zeFenceCreate", driver.create_fence);
  find("zeFenceDestroy", driver.destroy_fence);
  find("zeFenceReset", driver.reset_fence);
  find("zeFenceHostSynchronize", driver.wait_for_fence);
  find("zeCommandListCreate", driver.create_list);
  find("zeCommandListDestroy", driver.destroy_list);
  find("zeCommandListClose", driver.close_list);
  find("zeCommandListReset", driver.reset_list);
  find("zeCommandListAppendBarrier", driver.append_barrier);
  find("zeCommandListAppendMemoryCopy", driver.append_copy);
  find("zeCommandListAppendWriteGlobalTimestamp", driver.append_timestamp);
  find("zeCommandListAppendSignalEvent", driver.append_signal);
  find("zeCommandListAppendEventReset", driver.append_event_reset);
  find("zeCommandListAppendWaitOnEvents", driver.append_wait);
  find("zeCommandListGetNextCommandIdExp", driver.get_next_command_id);
  find("zeCommandListUpdateMutableCommandsExp", driver.update_commands);
  find("zeEventPoolCreate", driver.create_event_pool);
  find("zeEventPoolDestroy", driver.destroy_event_pool);
  find("zeEventCreate", driver.create_event);
  find("zeEventDestroy", driver.destroy_event);
  find("zeEventHostReset", driver.reset_event);
  find("zeEventHostSignal", driver.signal_event);
  find("zeEventQueryStatus", driver.query_event);
  find("zeEventHostSynchronize", driver.wait_for_event);
}

Driver start() {
  Driver driver{};
  find_device_functions(driver);
  find_command_functions(driver);
  const ZeInitDriverType npu{.header = {}, .flags = kZeDriverTypeNpu};
  uint32_t count = 1;
  ZeHandle handle = nullptr;
  REQUIRE(driver.init_drivers(&count, &handle, &npu) == ZeResult::kSuccess);
  REQUIRE(count == 1);
  void* table = nullptr;
  REQUIRE(driver.get_extension_table(handle, "ZE_extension_graph", &table) == ZeResult::kSuccess);
  driver.graph = *static_cast<GraphTable*>(table);
  return driver;
}

/// Calls a function whose last argument is the new handle.
template <typename Create, typename Destroy, typename... Arguments>
Handle make(Create create, Destroy destroy, Arguments... arguments) {
  ZeHandle made = nullptr;
  REQUIRE(create(arguments..., &made) == ZeResult::kSuccess);
  REQUIRE(made != nullptr);
  return {made, [destroy](void* handle) { destroy(handle); }};
}

Compiled make_graph(uint32_t format, std::span<const uint8_t> input, const char* build_flags) {
  GraphDesc2 desc{};
  desc.first.format = format;
  desc.first.bytes = input.size();
  desc.first.input = input.data();
  desc.first.build_flags = build_flags;
  const GraphTable& table = driver().graph;
  ZeHandle graph = nullptr, log = nullptr;
  Compiled compiled{.result = table.create3(nullptr, nullptr, &desc, &graph, &log)};
  uint32_t bytes = 0;
  REQUIRE(table.build_log2(log, &bytes, nullptr) == ZeResult::kSuccess);
  compiled.log.resize(bytes);
  REQUIRE(table.build_log2(log, &bytes, compiled.log.data()) == ZeResult::kSuccess);
  REQUIRE(compiled.log.back() == '\0');
  compiled.log.pop_back();
  table.build_log_destroy(log);
  if (compiled.result == ZeResult::kSuccess) {
    REQUIRE(graph);
    compiled.graph = {graph, [](void* handle) { driver().graph.destroy(handle); }};
  }
  return compiled;
}

}  // namespace

void* symbol(const char* name) { return ::dlsym(library(), name); }

const Driver& driver() {
  static const Driver started = start();
  return started;
}

Handle make_queue() {
  const ZeQueueDesc desc{};
  return make(driver().create_queue, driver().destroy_queue, nullptr, nullptr, &desc);
}
Handle make_list() {
  return make(driver().create_list, driver().destroy_list, nullptr, nullptr, nullptr);
}
Handle make_fence() {
  return make(driver().create_fence, driver().destroy_fence, nullptr, nullptr);
}
Handle make_event() {
  return make(driver().create_event, driver().destroy_event, nullptr, nullptr);
}

Handle make_memory(size_t bytes) {
  const ZeHostMemoryDesc desc{};
  const auto give_back = [](void* address) { driver().free(nullptr, address); };
  return make(driver().allocate, give_back, nullptr, &desc, bytes, size_t{0});
}

Compiled compile(std::span<const uint8_t> ir, const char* build_flags) {
  return make_graph(kGraphFormatIr, ir, build_flags);
}

Compiled import_blob(std::span<const uint8_t> blob) {
  return make_graph(kGraphFormatBlob, blob, nullptr);
}

std::vector<uint8_t> blob_of(ZeHandle graph) {
  size_t bytes = 0;
  REQUIRE(driver().graph.blob(graph, &bytes, nullptr) == ZeResult::kSuccess);
  std::vector<uint8_t> blob(bytes);
  REQUIRE(driver().graph.blob(graph, &bytes, blob.data()) == ZeResult::kSuccess);
  REQUIRE(bytes == blob.size());
  return blob;
}

Recorded record(std::span<const uint8_t> ir) {
  const GraphTable& table = driver().graph;
  Recorded recorded;
  Compiled compiled = compile(ir);
  CAPTURE(compiled.log);
  REQUIRE(compiled.result == ZeResult::kSuccess);
  recorded.graph = std::move(compiled.graph);
  recorded.list = make_list();
  GraphProperties properties{};
  REQUIRE(table.properties(recorded.graph.get(), &properties) == ZeResult::kSuccess);
  for (uint32_t index = 0; index < properties.arguments; ++index) {
    recorded.memory.push_back(make_memory(4096));
    REQUIRE(table.set_argument(recorded.graph.get(), index, recorded.memory.back().get()) ==
            ZeResult::kSuccess);
  }
  const ZeMutableCommandId wanted{};
  REQUIRE(driver().get_next_command_id(recorded.list.get(), &wanted, &recorded.command_id) ==
          ZeResult::kSuccess);
  REQUIRE(table.append_execute(recorded.list.get(), recorded.graph.get(), nullptr, nullptr, 0,
                               nullptr) == ZeResult::kSuccess);
  REQUIRE(driver().close_list(recorded.list.get()) == ZeResult::kSuccess);
  return recorded;
}

ZeResult Lane::submit(ZeHandle list) const {
  return driver().execute(queue.get(), 1, &list, fence.get());
}

ZeResult Lane::wait(uint64_t timeout_ns) const {
  return driver().wait_for_fence(fence.get(), timeout_ns);
}

ZeResult Lane::run(ZeHandle list) const {
  const ZeResult submitted = submit(list);
  return submitted == ZeResult::kSuccess ? wait() : submitted;
}

}  // namespace npu_emulator
