// What Intel's NPU driver adds to Level Zero, in our own words: graphs (extension 1.16), workload
// types, context options, profiling, and the table that finds these. Layouts are asserted.
#pragma once

#include "abi/level_zero.h"

namespace npu_emulator {

// ---- graphs

inline constexpr uint32_t kGraphFormatBlob = 1;
inline constexpr uint32_t kGraphFormatIr = 2;

inline constexpr uint32_t kGraphFlagProfiling = 2;
inline constexpr uint32_t kGraphFlagPersistentInput = 4;  // the blob stays: need not be copied

inline constexpr uint32_t kArgumentDimensions = 5;
inline constexpr uint32_t kArgumentNameBytes = 256;
inline constexpr uint32_t kTensorNames = 32;

struct CompilerVersion {
  uint16_t major, minor;
};

struct DeviceGraphProperties {
  ZeHeader header;
  uint32_t extension_version;
  CompilerVersion compiler;
  uint32_t formats;
  uint32_t max_opset;
};
static_assert(sizeof(DeviceGraphProperties) == 32);
static_assert(offsetof(DeviceGraphProperties, max_opset) == 28);

struct DeviceGraphProperties2 {
  DeviceGraphProperties first;
  uint32_t elf_version[3];      // major, minor, patch
  uint32_t runtime_version[3];  // major, minor, patch
};
static_assert(sizeof(DeviceGraphProperties2) == 56);

struct GraphDesc {
  ZeHeader header;
  uint32_t format;
  size_t bytes;
  const uint8_t* input;
  const char* build_flags;
};
static_assert(sizeof(GraphDesc) == 48 && offsetof(GraphDesc, build_flags) == 40);

struct GraphDesc2 {
  GraphDesc first;
  uint32_t flags;
};
static_assert(sizeof(GraphDesc2) == 56 && offsetof(GraphDesc2, flags) == 48);

struct GraphProperties {
  ZeHeader header;
  uint32_t arguments;
};
static_assert(sizeof(GraphProperties) == 24);

struct GraphProperties2 {
  ZeHeader header;
  uint32_t arguments;
  uint32_t stage_required;
};
static_assert(sizeof(GraphProperties2) == 24 && offsetof(GraphProperties2, stage_required) == 20);
inline constexpr uint32_t kStageGraphInitialize = 2;

struct GraphProperties3 {
  ZeHeader header;
  uint32_t arguments;
  uint32_t stage_required;
  uint32_t flags;
};
static_assert(sizeof(GraphProperties3) == 32 && offsetof(GraphProperties3, flags) == 24);
inline constexpr uint32_t kGraphCompiled = 2;
inline constexpr uint32_t kGraphPreCompiled = 4;
inline constexpr uint32_t kGraphOwnsMemory = 8;  // the caller may free the blob
inline constexpr uint32_t kGraphProfiling = 16;

inline constexpr uint32_t kArgumentInput = 0;
inline constexpr uint32_t kArgumentOutput = 1;

struct ArgumentProperties {
  ZeHeader header;
  char name[kArgumentNameBytes];
  uint32_t kind;
  uint32_t dimensions[kArgumentDimensions];
  uint32_t network_precision, network_layout;
  uint32_t device_precision, device_layout;
};
static_assert(sizeof(ArgumentProperties) == 312 && offsetof(ArgumentProperties, kind) == 272);
static_assert(offsetof(ArgumentProperties, dimensions) == 276);
static_assert(offsetof(ArgumentProperties, network_precision) == 296);
static_assert(offsetof(ArgumentProperties, device_layout) == 308);

struct ArgumentProperties2 {
  ArgumentProperties first;
  float reverse_scale;
  uint8_t zero_point;
};
static_assert(sizeof(ArgumentProperties2) == 320);
static_assert(offsetof(ArgumentProperties2, zero_point) == 316);

struct ArgumentProperties3 {
  ArgumentProperties first;
  float reverse_scale;
  uint8_t zero_point;
  uint32_t rank;
  char friendly_name[kArgumentNameBytes];
  char tensor_names[kTensorNames][kArgumentNameBytes];
  uint32_t tensor_names_count;
};
static_assert(sizeof(ArgumentProperties3) == 8776 && offsetof(ArgumentProperties3, rank) == 320);
static_assert(offsetof(ArgumentProperties3, friendly_name) == 324);
static_assert(offsetof(ArgumentProperties3, tensor_names) == 580);
static_assert(offsetof(ArgumentProperties3, tensor_names_count) == 8772);

inline constexpr uint32_t kArgumentStrides = 9;  // type of the next structure

/// Chained to ArgumentProperties3: may the caller's strides differ from the dense ones?
struct ArgumentStrides {
  ZeHeader header;
  bool dynamic;
};
static_assert(sizeof(ArgumentStrides) == 24 && offsetof(ArgumentStrides, dynamic) == 16);

struct ArgumentMetadata {
  ZeHeader header;
  uint32_t kind;
  char friendly_name[kArgumentNameBytes];
  uint32_t type;
  uint64_t shape[8];
  uint32_t rank;
  char tensor_names[kTensorNames][kArgumentNameBytes];
  uint32_t tensor_names_count;
  char input_name[kArgumentNameBytes];
};
static_assert(sizeof(ArgumentMetadata) == 8800 && offsetof(ArgumentMetadata, type) == 276);
static_assert(offsetof(ArgumentMetadata, shape) == 280 && offsetof(ArgumentMetadata, rank) == 344);
static_assert(offsetof(ArgumentMetadata, tensor_names) == 348);
static_assert(offsetof(ArgumentMetadata, input_name) == 8544);

/// What SetArgumentValue2 and mutable command lists point at instead of the bytes themselves.
struct ArgumentTensor {
  ZeHeader header;
  const void* bytes;
};
static_assert(sizeof(ArgumentTensor) == 24 && offsetof(ArgumentTensor, bytes) == 16);
inline constexpr uint32_t kArgumentTensor = 0xa;

struct MemoryQuery {
  uint64_t total, allocated;
};
static_assert(sizeof(MemoryQuery) == 16);

inline constexpr uint32_t kOptionsOfCompiler = 1;

/// The graph extension's functions, in the order in which its versions added them.
struct GraphTable {
  ZeResult (*create)(ZeHandle context, ZeHandle device, const GraphDesc*, ZeHandle*);
  ZeResult (*destroy)(ZeHandle graph);
  ZeResult (*properties)(ZeHandle graph, GraphProperties*);
  ZeResult (*argument_properties)(ZeHandle graph, uint32_t index, ArgumentProperties*);
  ZeResult (*set_argument)(ZeHandle graph, uint32_t index, const void* value);
  ZeResult (*append_initialize)(ZeHandle list, ZeHandle graph, ZeHandle signal, uint32_t,
                                ZeHandle* waits);
  ZeResult (*append_execute)(ZeHandle list, ZeHandle graph, ZeHandle query, ZeHandle signal,
                             uint32_t, ZeHandle* waits);
  ZeResult (*blob)(ZeHandle graph, size_t* bytes, uint8_t* blob);
  ZeResult (*device_properties)(ZeHandle device, DeviceGraphProperties*);
  ZeResult (*argument_metadata)(ZeHandle graph, uint32_t index, ArgumentMetadata*);
  ZeResult (*argument_properties2)(ZeHandle graph, uint32_t index, ArgumentProperties2*);
  ZeResult (*argument_properties3)(ZeHandle graph, uint32_t index, ArgumentProperties3*);
  ZeResult (*query_create)(ZeHandle context, ZeHandle device, const GraphDesc*, ZeHandle*);
  ZeResult (*query_destroy)(ZeHandle query);
  ZeResult (*query_layers)(ZeHandle query, size_t* bytes, char* names);
  ZeResult (*build_log)(ZeHandle graph, uint32_t* bytes, char* text);
  ZeResult (*create2)(ZeHandle context, ZeHandle device, const GraphDesc2*, ZeHandle*);
  ZeResult (*query_create2)(ZeHandle context, ZeHandle device, const GraphDesc2*, ZeHandle*);
  ZeResult (*context_memory)(ZeHandle context, uint32_t kind, MemoryQuery*);
  ZeResult (*device_properties2)(ZeHandle device, DeviceGraphProperties2*);
  ZeResult (*blob2)(ZeHandle graph, size_t* bytes, const uint8_t** blob);
  ZeResult (*properties2)(ZeHandle graph, GraphProperties2*);
  ZeResult (*initialize)(ZeHandle graph);
  ZeResult (*supported_options)(ZeHandle device, uint32_t kind, size_t* bytes, char* names);
  ZeResult (*is_option_supported)(ZeHandle device, uint32_t kind, const char* name,
                                  const char* value);
  ZeResult (*create3)(ZeHandle context, ZeHandle device, const GraphDesc2*, ZeHandle*,
                      ZeHandle* log);
  ZeResult (*properties3)(ZeHandle graph, GraphProperties3*);
  ZeResult (*build_log2)(ZeHandle log, uint32_t* bytes, char* text);
  ZeResult (*build_log_destroy)(ZeHandle log);
  ZeResult (*set_argument2)(ZeHandle graph, uint32_t index, const void* value);
  ZeResult (*evict)(ZeHandle graph);
};
static_assert(sizeof(GraphTable) == 248);

// ---- the smaller extensions

struct QueueTable {
  ZeResult (*set_workload_type)(ZeHandle queue, uint32_t type);
};
static_assert(sizeof(QueueTable) == 8);

struct ContextTable {
  ZeResult (*set_properties)(ZeHandle context, void* properties);
  ZeResult (*release_memory)(ZeHandle context);
};
static_assert(sizeof(ContextTable) == 16);

struct DriverExtension {
  ZeHeader header;
  const char* name;
  uint32_t version;
  void** table;
};
static_assert(sizeof(DriverExtension) == 40 && offsetof(DriverExtension, table) == 32);

struct DriverTable {
  ZeResult (*get_extension)(ZeHandle driver, DriverExtension*);
};
static_assert(sizeof(DriverTable) == 8);

struct ProfilingProperties {
  ZeHeader header;
  uint32_t extension_version;
};

struct LayerTime {
  char name[256];
  char type[50];
  uint32_t status;
  uint64_t start_ns, duration_ns;
  uint32_t layer;
  uint64_t fused_layer;
  uint64_t dpu_ns, software_ns, dma_ns;
};
static_assert(sizeof(LayerTime) == 368);
inline constexpr uint32_t kLayerExecuted = 3;
inline constexpr uint32_t kProfilingByLayer = 1;

struct ProfilingTable {
  ZeResult (*pool_create)(ZeHandle graph, uint32_t count, ZeHandle*);
  ZeResult (*pool_destroy)(ZeHandle pool);
  ZeResult (*query_create)(ZeHandle pool, uint32_t index, ZeHandle*);
  ZeResult (*query_destroy)(ZeHandle query);
  ZeResult (*query_data)(ZeHandle query, uint32_t kind, uint32_t* bytes, uint8_t* data);
  ZeResult (*device_properties)(ZeHandle device, ProfilingProperties*);
  ZeResult (*log)(ZeHandle query, uint32_t* bytes, char* text);
};
static_assert(sizeof(ProfilingTable) == 56);

}  // namespace npu_emulator
