// The graph extension's functions.
#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "src/element_types.h"
#include "src/extension_tables.h"
#include "src/faults.h"
#include "src/fixed_text.h"
#include "src/graph.h"
#include "src/handles.h"
#include "src/memory.h"
#include "src/record.h"
#include "src/settings.h"
#include "src/trace.h"

namespace npu_emulator {
namespace {

constexpr CompilerVersion kCompilerVersion{7, 20};
constexpr uint32_t kOpsetMax = 16;

/// What the plugin may pass to the compiler.
constexpr const char* kOptions =
    "NPU_COMPILER_TYPE LOG_LEVEL PERF_COUNT PERFORMANCE_HINT PERFORMANCE_HINT_NUM_REQUESTS "
    "NUM_STREAMS INFERENCE_PRECISION_HINT MODEL_PRIORITY NPU_COMPILATION_MODE_PARAMS "
    "NPU_COMPILATION_MODE NPU_PLATFORM NPU_TILES NPU_MAX_TILES NPU_STEPPING NPU_DMA_ENGINES "
    "NPU_BATCH_MODE NPU_TURBO NPU_DYNAMIC_SHAPE_TO_STATIC NPU_QDQ_OPTIMIZATION "
    "NPU_BACKEND_COMPILATION_PARAMS EXECUTION_MODE_HINT CACHE_DIR DEVICE_ID "
    "NPU_COMPILER_DYNAMIC_QUANTIZATION";

/// The log of each thread's last compile: how old versions of the extension ask for it. Not
/// thread_local: LeakSanitizer misreads where such variables of a library opened at run time lie.
class LastLogs {
 public:
  void set(std::string log) {
    const std::lock_guard lock(mutex_);
    if (log.empty()) {
      logs_.erase(std::this_thread::get_id());
    } else {
      logs_[std::this_thread::get_id()] = std::move(log);
    }
  }

  std::string get() {
    const std::lock_guard lock(mutex_);
    const auto found = logs_.find(std::this_thread::get_id());
    return found == logs_.end() ? "" : found->second;
  }

 private:
  std::mutex mutex_;
  std::map<std::thread::id, std::string> logs_;  // those that say something
};

LastLogs& last_logs() {
  static LastLogs& the_logs = *new LastLogs;  // outlives every thread
  return the_logs;
}

Graph& graph_of(ZeHandle handle) { return *object_of<Graph>(handle); }

/// The usual two calls: first for the size, then for the bytes. The end of a text counts.
template <typename Size>
ZeResult give_text(const std::string& text, Size* bytes, char* target) {
  const size_t size = text.size() + 1;
  if (target) std::memcpy(target, text.c_str(), std::min<size_t>(*bytes, size));
  *bytes = static_cast<Size>(size);
  return ZeResult::kSuccess;
}

// ---- making

ZeResult make(const GraphDesc& desc, uint32_t flags, ZeHandle* graph) {
  last_logs().set("");
  if (!desc.input) return ZeResult::kInvalidNullPointer;
  MadeGraph made = make_graph({.format = desc.format,
                               .input = {desc.input, desc.bytes},
                               .build_flags = desc.build_flags ? desc.build_flags : "",
                               .flags = flags});
  last_logs().set(std::move(made.log));
  if (made.graph) *graph = make_handle(std::move(made.graph));
  return made.result;
}

ZeResult create(ZeHandle, ZeHandle, const GraphDesc* desc, ZeHandle* graph) {
  return make(*desc, 0, graph);
}

ZeResult create2(ZeHandle, ZeHandle, const GraphDesc2* desc, ZeHandle* graph) {
  return make(desc->first, desc->flags, graph);
}

ZeResult create3(ZeHandle, ZeHandle, const GraphDesc2* desc, ZeHandle* graph, ZeHandle* log) {
  const ZeResult result = make(desc->first, desc->flags, graph);
  if (log) *log = new std::string(last_logs().get());
  return result;
}

ZeResult destroy(ZeHandle graph) {
  destroy_handle<Graph>(graph);
  return ZeResult::kSuccess;
}

ZeResult build_log(ZeHandle, uint32_t* bytes, char* text) {
  return give_text(last_logs().get(), bytes, text);
}

ZeResult build_log2(ZeHandle log, uint32_t* bytes, char* text) {
  return give_text(*static_cast<std::string*>(log), bytes, text);
}

ZeResult build_log_destroy(ZeHandle log) {
  delete static_cast<std::string*>(log);
  return ZeResult::kSuccess;
}

ZeResult blob(ZeHandle handle, size_t* bytes, uint8_t* target) {
  const std::span<const uint8_t> blob = graph_of(handle).blob();
  if (target) {
    std::memcpy(target, blob.data(), std::min(*bytes, blob.size()));
    trace("blob_export", {{"graph", graph_of(handle).id()}, {"bytes", blob.size()}});
  }
  *bytes = blob.size();
  return ZeResult::kSuccess;
}

ZeResult blob2(ZeHandle handle, size_t* bytes, const uint8_t** target) {
  const std::span<const uint8_t> blob = graph_of(handle).blob();
  *target = blob.data();
  *bytes = blob.size();
  trace("blob_export", {{"graph", graph_of(handle).id()}, {"bytes", blob.size()}});
  return ZeResult::kSuccess;
}

ZeResult initialize(ZeHandle) { return ZeResult::kSuccess; }
ZeResult evict(ZeHandle) { return ZeResult::kSuccess; }

// ---- asking

uint32_t argument_count(ZeHandle graph) {
  return static_cast<uint32_t>(graph_of(graph).arguments().size());
}

ZeResult properties(ZeHandle graph, GraphProperties* target) {
  target->arguments = argument_count(graph);
  return ZeResult::kSuccess;
}

ZeResult properties2(ZeHandle graph, GraphProperties2* target) {
  target->arguments = argument_count(graph);
  target->stage_required = kStageGraphInitialize;
  return ZeResult::kSuccess;
}

ZeResult properties3(ZeHandle graph, GraphProperties3* target) {
  target->arguments = argument_count(graph);
  target->stage_required = kStageGraphInitialize;
  target->flags = kGraphOwnsMemory;
  target->flags |= graph_of(graph).is_from_blob() ? kGraphPreCompiled : kGraphCompiled;
  if (graph_of(graph).is_profiling()) target->flags |= kGraphProfiling;
  return ZeResult::kSuccess;
}

const Argument* argument_at(ZeHandle graph, uint32_t index) {
  const auto& arguments = graph_of(graph).arguments();
  return index < arguments.size() ? &arguments[index] : nullptr;
}

void fill(const Argument& argument, ArgumentProperties& target) {
  fill_text(target.name, argument.name);
  target.kind = argument.is_input ? kArgumentInput : kArgumentOutput;
  for (size_t axis = 0; axis < kArgumentDimensions; ++axis) {
    target.dimensions[axis] =
        axis < argument.shape.size() ? static_cast<uint32_t>(argument.shape[axis]) : 1;
  }
  target.network_precision = find_element_type(argument.type)->precision;
  target.device_precision = target.network_precision;
  target.network_layout = target.device_layout = 0;  // any
}

/// The names of a tensor, as many as there is room for.
template <typename Properties>
void fill_names(const Argument& argument, Properties& target) {
  target.tensor_names_count = 0;
  for (const std::string& name : argument.names) {
    if (target.tensor_names_count == kTensorNames) break;
    fill_text(target.tensor_names[target.tensor_names_count++], name);
  }
}

ZeResult argument_properties(ZeHandle graph, uint32_t index, ArgumentProperties* target) {
  const Argument* argument = argument_at(graph, index);
  if (!argument) return ZeResult::kInvalidArgument;
  fill(*argument, *target);
  return ZeResult::kSuccess;
}

ZeResult argument_properties2(ZeHandle graph, uint32_t index, ArgumentProperties2* target) {
  target->reverse_scale = 1;
  target->zero_point = 0;
  return argument_properties(graph, index, &target->first);
}

ZeResult argument_properties3(ZeHandle graph, uint32_t index, ArgumentProperties3* target) {
  const Argument* argument = argument_at(graph, index);
  if (!argument) return ZeResult::kInvalidArgument;
  fill(*argument, target->first);
  target->reverse_scale = 1;
  target->zero_point = 0;
  target->rank = static_cast<uint32_t>(argument->shape.size());
  fill_text(target->friendly_name, argument->name);
  fill_names(*argument, *target);
  for (ZeHeader* next = target->first.header.next; next; next = next->next) {
    if (next->type == kArgumentStrides) reinterpret_cast<ArgumentStrides*>(next)->dynamic = false;
  }
  return ZeResult::kSuccess;
}

ZeResult argument_metadata(ZeHandle graph, uint32_t index, ArgumentMetadata* target) {
  const Argument* argument = argument_at(graph, index);
  if (!argument) return ZeResult::kInvalidArgument;
  target->kind = argument->is_input ? kArgumentInput : kArgumentOutput;
  fill_text(target->friendly_name, argument->name);
  target->type = find_element_type(argument->type)->metadata;
  target->rank = static_cast<uint32_t>(argument->shape.size());
  for (size_t axis = 0; axis < argument->shape.size(); ++axis) {
    target->shape[axis] = static_cast<uint64_t>(argument->shape[axis]);
  }
  fill_names(*argument, *target);
  fill_text(target->input_name, argument->name);
  return ZeResult::kSuccess;
}

// ---- recording

ZeResult set_argument(ZeHandle graph, uint32_t index, const void* address) {
  return graph_of(graph).set_argument(index, address);
}

ZeResult set_argument2(ZeHandle graph, uint32_t index, const void* description) {
  return set_argument(graph, index, static_cast<const ArgumentTensor*>(description)->bytes);
}

ZeResult append_initialize(ZeHandle list, ZeHandle, ZeHandle signal, uint32_t count,
                           ZeHandle* waits) {
  record(list, std::nullopt, {.signal = signal, .waits = {waits, count}});
  return ZeResult::kSuccess;
}

ZeResult append_execute(ZeHandle list, ZeHandle graph, ZeHandle, ZeHandle signal, uint32_t count,
                        ZeHandle* waits) {
  Execute command{object_of<Graph>(graph), graph_of(graph).addresses()};
  const auto& addresses = command.addresses;
  if (std::find(addresses.begin(), addresses.end(), nullptr) != addresses.end()) {
    return ZeResult::kInvalidArgument;
  }
  record(list, std::move(command), {.signal = signal, .waits = {waits, count}});
  return ZeResult::kSuccess;
}

// ---- the device and its compiler

ZeResult device_properties(ZeHandle, DeviceGraphProperties* target) {
  target->extension_version = kGraphExtensionVersion;
  target->compiler = kCompilerVersion;
  target->formats = kGraphFormatBlob | kGraphFormatIr;
  target->max_opset = kOpsetMax;
  return ZeResult::kSuccess;
}

ZeResult device_properties2(ZeHandle device, DeviceGraphProperties2* target) {
  constexpr uint32_t kElf[3] = {1, 1, 0}, kRuntime[3] = {7, 3, 0};
  std::copy_n(kElf, 3, target->elf_version);
  std::copy_n(kRuntime, 3, target->runtime_version);
  return device_properties(device, &target->first);
}

ZeResult query(const GraphDesc& desc, ZeHandle* handle) {
  if (!desc.input) return ZeResult::kInvalidNullPointer;
  std::string why;
  const std::string layers = supported_layers({desc.input, desc.bytes}, why);
  last_logs().set(std::move(why));
  if (layers.empty()) return ZeResult::kInvalidArgument;
  *handle = new std::string(layers);
  return ZeResult::kSuccess;
}

ZeResult query_create(ZeHandle, ZeHandle, const GraphDesc* desc, ZeHandle* handle) {
  return query(*desc, handle);
}

ZeResult query_create2(ZeHandle, ZeHandle, const GraphDesc2* desc, ZeHandle* handle) {
  return query(desc->first, handle);
}

ZeResult query_destroy(ZeHandle handle) {
  delete static_cast<std::string*>(handle);
  return ZeResult::kSuccess;
}

ZeResult query_layers(ZeHandle handle, size_t* bytes, char* names) {
  return give_text(*static_cast<std::string*>(handle), bytes, names);
}

ZeResult context_memory(ZeHandle, uint32_t, MemoryQuery* target) {
  constexpr uint64_t kTotal = uint64_t{16} << 30;
  target->total = settings().memory_bytes.value_or(kTotal);
  target->allocated = device_memory().bytes_in_use();
  return ZeResult::kSuccess;
}

ZeResult supported_options(ZeHandle, uint32_t kind, size_t* bytes, char* names) {
  return give_text(kind == kOptionsOfCompiler ? kOptions : "", bytes, names);
}

ZeResult is_option_supported(ZeHandle, uint32_t kind, const char* name, const char*) {
  const std::string options = std::string(" ") + kOptions + " ";
  const bool known = kind == kOptionsOfCompiler &&
                     options.find(" " + std::string(name) + " ") != std::string::npos;
  return known ? ZeResult::kSuccess : ZeResult::kUnsupportedFeature;
}

}  // namespace

GraphTable& graph_table() {
  static GraphTable table{.create = create,
                          .destroy = destroy,
                          .properties = properties,
                          .argument_properties = argument_properties,
                          .set_argument = set_argument,
                          .append_initialize = append_initialize,
                          .append_execute = append_execute,
                          .blob = blob,
                          .device_properties = device_properties,
                          .argument_metadata = argument_metadata,
                          .argument_properties2 = argument_properties2,
                          .argument_properties3 = argument_properties3,
                          .query_create = query_create,
                          .query_destroy = query_destroy,
                          .query_layers = query_layers,
                          .build_log = build_log,
                          .create2 = create2,
                          .query_create2 = query_create2,
                          .context_memory = context_memory,
                          .device_properties2 = device_properties2,
                          .blob2 = blob2,
                          .properties2 = properties2,
                          .initialize = initialize,
                          .supported_options = supported_options,
                          .is_option_supported = is_option_supported,
                          .create3 = create3,
                          .properties3 = properties3,
                          .build_log2 = build_log2,
                          .build_log_destroy = build_log_destroy,
                          .set_argument2 = set_argument2,
                          .evict = evict};
  return table;
}

}  // namespace npu_emulator
