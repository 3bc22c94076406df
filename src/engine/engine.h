// Stage 3, engine. In: a bundle's step graphs. Out: one step at a time, on memory the caller owns.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/page_memory.h"
#include "base/tensor_stack.h"
#include "bundle/manifest.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// Memory that a graph reads and writes in place, bound once. Owned by the caller, alive as long as
/// the binding. Each member begins on a page and has its last page for itself, for an NPU takes
/// over whole pages only; several bindings may share a `past`, or `logits` in the same
/// `logits_pages`. W, P: the graph's; an open dimension is bound for its largest size and used from
/// the front.
struct StepBuffers {
  std::span<int64_t> input_ids;       // [W]
  std::span<int64_t> attention_mask;  // [P + W]; 1 = may be seen
  std::span<int64_t> position_ids;    // [W]
  std::span<float> logits;            // [logit rows, vocabulary]
  std::span<float> logits_pages;      // whole pages that begin with `logits`; empty: it has its own
  TensorStack past;     // key, value of layer 0, then layer 1, ...: [kv_heads, P, D] each
  TensorStack present;  // the same order: [kv_heads, W, D] each, new rows only
};

/// How much of the open dimensions a step uses; a closed graph's own sizes otherwise.
struct StepSize {
  uint32_t width = 0;  // rows of input_ids
  uint32_t past = 0;   // rows of each past tensor
};

/// Step graphs on one device. One thread at a time.
class Engine {
 public:
  using Binding = uint32_t;

  virtual ~Engine() = default;

  /// The device that runs the graphs, and the graphs it may run: an index into graphs() is how the
  /// calls below name one.
  virtual const std::string& device() const = 0;
  virtual const std::vector<GraphInfo>& graphs() const = 0;

  /// What kind of pages bind() is best given: an NPU takes over shared ones, as another process
  /// could map; elsewhere private ones are faster while a cache is mostly empty.
  virtual Pages pages() const = 0;

  /// Begins to compile a graph in the background, if that has not been done.
  virtual void prepare(size_t graph) = 0;

  /// How long bind() has waited for graphs to be compiled, all calls together.
  virtual std::chrono::nanoseconds waited() const = 0;

  /// Gives back what a compiled graph holds; its bindings must not be used again. Waits while any
  /// graph is being compiled.
  virtual void release(size_t graph) = 0;

  /// Binds a graph to memory; the cost of choosing another binding later is an index.
  /// Blocks until the graph is compiled. Errors: kCompileFailed, kOutOfMemory or kDeviceLost (it
  /// does not compile, or the device does not take the memory), kCorrupt (its inputs and outputs
  /// are not what the manifest says).
  virtual Result<Binding> bind(size_t graph, const StepBuffers& buffers) = 0;

  /// Forgets a binding: its memory may be freed now. Does nothing where release() has done so.
  /// Waits while any graph is being compiled.
  virtual void unbind(Binding binding) = 0;

  /// Runs one step on a binding's memory; blocks until its outputs are written, however long that
  /// takes: a device that hangs is for the caller's watchdog to see.
  /// Errors: kDeviceLost, kOutOfMemory, kBadOutput (a row of logits that no model gives): the
  /// outputs are undefined then, the inputs and the cache unchanged. kInternal: no such binding.
  virtual Status step(Binding binding, StepSize size) = 0;
};

}  // namespace ovenbird
