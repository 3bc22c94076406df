// From IR or blob to a graph. A blob is the IR behind a header: this driver compiles again.
//
//   "\x7fNPUEMU2"   u32 version of the driver   u32 platform   u64 bytes of IR   u64 checksum   IR
#include "src/graph.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>
#include <thread>

#include "src/faults.h"
#include "src/memory.h"
#include "src/trace.h"

namespace npu_emulator {
namespace {

using Clock = std::chrono::steady_clock;

constexpr char kMagic[8] = {0x7f, 'N', 'P', 'U', 'E', 'M', 'U', '2'};

struct BlobHeader {
  char magic[8];
  uint32_t driver_version;
  uint32_t platform;
  uint64_t bytes;
  uint64_t checksum;
};
static_assert(sizeof(BlobHeader) == 32);

/// FNV-1a over words: tells damage.
uint64_t checksum(std::span<const uint8_t> bytes) {
  uint64_t sum = 0xcbf29ce484222325 ^ bytes.size();
  for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
    uint64_t word;
    std::memcpy(&word, bytes.data(), 8);
    sum = (sum ^ word) * 0x100000001b3;
  }
  for (const uint8_t byte : bytes) sum = (sum ^ byte) * 0x100000001b3;
  return sum;
}

std::vector<uint8_t> blob_of(std::span<const uint8_t> ir) {
  BlobHeader header{.driver_version = settings().driver_version,
                    .platform = static_cast<uint32_t>(settings().platform),
                    .bytes = ir.size(),
                    .checksum = checksum(ir)};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  std::vector<uint8_t> blob(sizeof header + ir.size());
  std::memcpy(blob.data(), &header, sizeof header);
  std::memcpy(blob.data() + sizeof header, ir.data(), ir.size());
  return blob;
}

/// The IR in a blob, or why it is refused.
std::variant<std::span<const uint8_t>, Refusal> ir_of(std::span<const uint8_t> blob) {
  BlobHeader header;
  if (blob.size() < sizeof header) return Refusal{"the blob is cut off"};
  std::memcpy(&header, blob.data(), sizeof header);
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0) {
    return Refusal{"the blob is not one of this driver's"};
  }
  if (header.driver_version != settings().driver_version) {
    return Refusal{"the blob is of driver version " + std::to_string(header.driver_version) +
                   ", this is " + std::to_string(settings().driver_version)};
  }
  if (header.platform != static_cast<uint32_t>(settings().platform)) {
    return Refusal{"the blob is for another platform"};
  }
  const std::span<const uint8_t> rest = blob.subspan(sizeof header);
  if (header.bytes > rest.size()) return Refusal{"the blob is cut off"};
  const std::span<const uint8_t> ir = rest.first(header.bytes);
  if (checksum(ir) != header.checksum) return Refusal{"the blob is damaged"};
  return ir;
}

/// Reports why there is no graph.
class Refuser {
 public:
  explicit Refuser(bool from_blob) : from_blob_(from_blob) {}

  MadeGraph operator()(ZeResult result, const std::string& why) const {
    char code[2 + 8 + 1];
    std::snprintf(code, sizeof code, "0x%08x", static_cast<unsigned>(result));
    trace(from_blob_ ? "blob_refused" : "compile_refused", {{"result", code}, {"why", why}});
    return {.result = result, .log = why, .graph = nullptr};
  }

  /// What is wrong with the graph itself.
  MadeGraph operator()(const Refusal& refusal) const {
    return (*this)(from_blob_ ? ZeResult::kInvalidNativeBinary : ZeResult::kInvalidArgument,
                   refusal.why);
  }

 private:
  bool from_blob_;
};

/// What speaks against a request before anybody has looked into the graph.
std::optional<MadeGraph> refuse_request(const GraphRequest& request, const Refuser& refuse) {
  const bool from_blob = request.format == kGraphFormatBlob;
  if (is_device_lost()) return refuse(ZeResult::kDeviceLost, "the device is lost");
  if (!from_blob && request.format != kGraphFormatIr) {
    return refuse(ZeResult::kInvalidEnumeration, "unknown format of a graph");
  }
  if (request.input.empty()) return refuse(ZeResult::kInvalidNullPointer, "no graph");
  const auto address = reinterpret_cast<uintptr_t>(request.input.data());
  const bool whole_pages = (address | request.input.size()) % kPageBytes == 0;
  if ((request.flags & kGraphFlagPersistentInput) && !whole_pages) {
    return refuse(ZeResult::kUnsupportedAlignment, "a persistent graph is not whole pages");
  }
  const auto fault = next_fault(from_blob ? Call::kBlobImport : Call::kCompile);
  if (!fault) return std::nullopt;
  if (fault->kind == FaultKind::kForeignBlob) {
    return refuse(Refusal{"the blob is of another driver version: a fault that was asked for"});
  }
  if (fault->kind == FaultKind::kCompileOutOfMemory) {
    return refuse(ZeResult::kOutOfHostMemory, "out of memory: a fault that was asked for");
  }
  return refuse(ZeResult::kUnknown, "the compiler failed: a fault that was asked for");
}

/// What the rules say to a graph, as one line; empty: nothing.
std::string refusals_text(const ovenbird::IrGraph& graph) {
  if (!settings().strict_rules) return "";
  std::string text;
  for (const auto& refusal : ovenbird::npu_refusals(graph, settings().platform)) {
    text += (text.empty() ? "" : "; ") + refusal.layer + ": " + refusal.why;
  }
  return text;
}

/// An IR with its arguments, checked against the rules.
struct Checked {
  CompilerInput input;
  std::vector<Argument> arguments;
};

std::variant<Checked, Refusal> check(std::span<const uint8_t> ir) {
  auto input = read_compiler_input(ir);
  if (!input) return Refusal{input.error().message};
  for (const ovenbird::IrLayer& layer : input->graph.layers) {
    if (layer.type == "ReadValue" || layer.type == "Assign") {
      return Refusal{layer.name + ": a stateful graph, and this device keeps no state"};
    }
  }
  auto arguments = arguments_of(input->graph);
  if (const auto* refusal = std::get_if<Refusal>(&arguments)) return *refusal;
  if (std::string why = refusals_text(input->graph); !why.empty()) return Refusal{std::move(why)};
  return Checked{std::move(*input), std::get<std::vector<Argument>>(std::move(arguments))};
}

/// The parts of a graph, from its blob.
std::variant<Graph::Parts, Refusal> build(std::vector<uint8_t> blob, const GraphRequest& request) {
  const auto ir = ir_of(blob);
  if (const auto* refusal = std::get_if<Refusal>(&ir)) return *refusal;
  auto checked = check(std::get<std::span<const uint8_t>>(ir));
  if (const auto* refusal = std::get_if<Refusal>(&checked)) return *refusal;
  auto& [input, arguments] = std::get<Checked>(checked);
  Graph::Parts parts{
      .arguments = std::move(arguments),
      .blob = std::move(blob),
      .model = nullptr,
      .layers = input.graph.layers.size(),
      .weights_bytes = input.weights.size(),
      .from_blob = request.format == kGraphFormatBlob,
      .profiling = (request.flags & kGraphFlagProfiling) != 0 ||
                   request.build_flags.find("PERF_COUNT=\"YES\"") != std::string::npos};
  if (settings().backend == Backend::kEcho) {
    parts.model = make_echo(parts.arguments);
    return parts;
  }
  auto model = compile_for_cpu(input, parts.arguments, request.build_flags);
  if (const auto* refusal = std::get_if<Refusal>(&model)) return *refusal;
  parts.model = std::get<std::unique_ptr<Model>>(std::move(model));
  return parts;
}

std::atomic<uint64_t> g_next_id = 1;

void trace_made(const Graph& graph, const GraphRequest& request, Clock::duration took) {
  if (graph.is_from_blob()) {
    trace("blob_import", {{"graph", graph.id()}, {"bytes", request.input.size()}});
    return;
  }
  size_t inputs = 0;
  for (const Argument& argument : graph.arguments()) inputs += argument.is_input;
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(took);
  trace("compile", {{"graph", graph.id()},
                    {"inputs", inputs},
                    {"outputs", graph.arguments().size() - inputs},
                    {"layers", graph.layers()},
                    {"weights_bytes", graph.weights_bytes()},
                    {"ms", ms.count()},
                    {"flags", request.build_flags}});
}

}  // namespace

MadeGraph make_graph(const GraphRequest& request) {
  const auto begin = Clock::now();
  const bool from_blob = request.format == kGraphFormatBlob;
  const Refuser refuse(from_blob);
  if (auto refused = refuse_request(request, refuse)) return std::move(*refused);
  std::vector<uint8_t> blob = from_blob
                                  ? std::vector<uint8_t>(request.input.begin(), request.input.end())
                                  : blob_of(request.input);
  const size_t blob_bytes = blob.size();
  if (!device_memory().reserve(blob_bytes)) {
    return refuse(ZeResult::kOutOfDeviceMemory, "the graph does not fit the memory limit");
  }
  auto parts = build(std::move(blob), request);
  if (const auto* refusal = std::get_if<Refusal>(&parts)) {
    device_memory().give_back(blob_bytes);
    return refuse(*refusal);
  }
  auto graph = std::make_shared<Graph>(g_next_id++, std::get<Graph::Parts>(std::move(parts)));
  if (!from_blob) std::this_thread::sleep_until(begin + settings().compile_time);
  if (is_tracing()) trace_made(*graph, request, Clock::now() - begin);
  return {.result = ZeResult::kSuccess, .log = "", .graph = std::move(graph)};
}

Graph::Graph(uint64_t id, Parts parts)
    : id_(id), parts_(std::move(parts)), addresses_(parts_.arguments.size(), nullptr) {}

Graph::~Graph() {
  device_memory().give_back(parts_.blob.size());
  trace("graph_destroy", {{"graph", id_}});
}

ZeResult Graph::check_argument(uint32_t index, const void* address) const {
  if (index >= arguments().size()) return ZeResult::kInvalidArgument;
  const auto memory = device_memory().find(address);
  if (!memory) return ZeResult::kInvalidArgument;
  if (!memory->holds(address, arguments()[index].bytes)) return ZeResult::kInvalidSize;
  return ZeResult::kSuccess;
}

ZeResult Graph::set_argument(uint32_t index, const void* address) {
  if (const ZeResult result = check_argument(index, address); result != ZeResult::kSuccess) {
    return result;
  }
  const std::lock_guard lock(mutex_);
  addresses_[index] = const_cast<void*>(address);
  trace("argument", {{"graph", id_},
                     {"index", index},
                     {"name", arguments()[index].name},
                     {"address", address_text(address)}});
  return ZeResult::kSuccess;
}

std::vector<void*> Graph::addresses() const {
  const std::lock_guard lock(mutex_);
  return addresses_;
}

std::string supported_layers(std::span<const uint8_t> input, std::string& why) {
  why.clear();
  const auto checked = check(input);
  if (const auto* refusal = std::get_if<Refusal>(&checked)) {
    why = refusal->why;
    return "";
  }
  std::string names;
  for (const ovenbird::IrLayer& layer : std::get<Checked>(checked).input.graph.layers) {
    names += "<" + layer.name + ">";
  }
  return names;
}

}  // namespace npu_emulator
