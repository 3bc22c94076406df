// The small extensions, each a table of functions that have little to do.
#include "src/extension_tables.h"

#include <cstdio>
#include <cstring>
#include <string_view>

#include "src/trace.h"

namespace npu_emulator {
namespace {

ZeResult set_workload_type(ZeHandle, uint32_t) { return ZeResult::kSuccess; }
ZeResult set_context_properties(ZeHandle, void*) { return ZeResult::kSuccess; }
ZeResult release_context_memory(ZeHandle) { return ZeResult::kSuccess; }

ZeResult get_extension(ZeHandle, DriverExtension* extension) {
  *extension->table = extension_table(extension->name);
  return *extension->table ? ZeResult::kSuccess : ZeResult::kUnsupportedFeature;
}

// ---- profiling: one layer that stands for the graph, with no real times in it

ZeResult create_pool(ZeHandle graph, uint32_t, ZeHandle* pool) {
  *pool = graph;
  return ZeResult::kSuccess;
}
ZeResult create_query(ZeHandle pool, uint32_t, ZeHandle* query) {
  *query = pool;
  return ZeResult::kSuccess;
}
ZeResult destroy_nothing(ZeHandle) { return ZeResult::kSuccess; }

ZeResult query_data(ZeHandle, uint32_t kind, uint32_t* bytes, uint8_t* data) {
  if (kind != kProfilingByLayer) {
    *bytes = 0;
    return ZeResult::kSuccess;
  }
  if (data && *bytes >= sizeof(LayerTime)) {
    LayerTime layer{.name = "emulated",
                    .type = "Graph",
                    .status = kLayerExecuted,
                    .duration_ns = 1000,
                    .dpu_ns = 1000};
    std::memcpy(data, &layer, sizeof layer);
  }
  *bytes = sizeof(LayerTime);
  return ZeResult::kSuccess;
}

ZeResult profiling_properties(ZeHandle, ProfilingProperties* properties) {
  properties->extension_version = version(1, 0);
  return ZeResult::kSuccess;
}

ZeResult profiling_log(ZeHandle, uint32_t* bytes, char* text) {
  if (text && *bytes) *text = 0;
  *bytes = 1;
  return ZeResult::kSuccess;
}

}  // namespace

void* extension_table(const char* name) {
  static QueueTable queue{.set_workload_type = set_workload_type};
  static ContextTable context{.set_properties = set_context_properties,
                              .release_memory = release_context_memory};
  static DriverTable driver{.get_extension = get_extension};
  static ProfilingTable profiling{.pool_create = create_pool,
                                  .pool_destroy = destroy_nothing,
                                  .query_create = create_query,
                                  .query_destroy = destroy_nothing,
                                  .query_data = query_data,
                                  .device_properties = profiling_properties,
                                  .log = profiling_log};
  const std::string_view wanted = name;
  if (wanted.starts_with("ZE_extension_graph")) return &graph_table();
  if (wanted == "ZE_extension_command_queue_npu") return &queue;
  if (wanted == "ZE_extension_context_npu") return &context;
  if (wanted == "ZE_extension_driver_npu") return &driver;
  if (wanted == "ZE_extension_profiling_data") return &profiling;
  return nullptr;
}

}  // namespace npu_emulator
