// A graph on the device: compiled from an IR, or loaded from a blob.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "abi/npu_extensions.h"
#include "src/model.h"

namespace npu_emulator {

/// What GraphDesc asks for.
struct GraphRequest {
  uint32_t format = kGraphFormatIr;
  std::span<const uint8_t> input;
  std::string build_flags;
  uint32_t flags = 0;
};

class Graph;

/// A graph, or why there is none.
struct MadeGraph {
  ZeResult result = ZeResult::kSuccess;
  std::string log;  // of the compiler; empty if it has nothing to say
  std::shared_ptr<Graph> graph;
};

/// Compiles or loads, by the settings' rules, faults, delay and memory limit.
MadeGraph make_graph(const GraphRequest& request);

class Graph {
 public:
  /// What a graph is made of.
  struct Parts {
    std::vector<Argument> arguments;
    std::vector<uint8_t> blob;  // before the model, which may read from it: it goes last
    std::unique_ptr<Model> model;
    size_t layers = 0;  // of the IR
    size_t weights_bytes = 0;
    bool from_blob = false;
    bool profiling = false;
  };

  /// The blob's bytes have been reserved in the device's memory; the graph gives them back.
  Graph(uint64_t id, Parts parts);
  ~Graph();

  uint64_t id() const { return id_; }
  const std::vector<Argument>& arguments() const { return parts_.arguments; }
  bool is_from_blob() const { return parts_.from_blob; }
  bool is_profiling() const { return parts_.profiling; }
  size_t layers() const { return parts_.layers; }
  size_t weights_bytes() const { return parts_.weights_bytes; }
  Model& model() const { return *parts_.model; }

  /// The blob that loads this graph again. Valid as long as the graph is.
  std::span<const uint8_t> blob() const { return parts_.blob; }

  /// What the next execution is recorded with: one address for each argument.
  /// Errors: kInvalidArgument (no such argument, or the address is not the device's memory),
  /// kInvalidSize (the tensor ends beyond it).
  ZeResult set_argument(uint32_t index, const void* address);
  std::vector<void*> addresses() const;  // nullptr where none was set

  /// The same checks, and nothing is set.
  ZeResult check_argument(uint32_t index, const void* address) const;

 private:
  const uint64_t id_;
  const Parts parts_;
  mutable std::mutex mutex_;
  std::vector<void*> addresses_;
};

/// The names of all layers, each in angle brackets: what the device would run of a graph. Empty if
/// it takes none; then `why` says so, and else it is empty.
std::string supported_layers(std::span<const uint8_t> input, std::string& why);

}  // namespace npu_emulator
