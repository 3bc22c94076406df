// An engine that tells whoever watches the worker what it is doing.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "wire/arena.h"

namespace ovenbird {

/// Passes every call on, and writes before and after it into the worker's status what is done since
/// when, and how long steps like this one have taken at most: a supervisor that sees one take far
/// longer can end the process. Steps are alike that run the same graph over about as many rows.
/// One thread at a time.
class WatchedEngine : public Engine {
 public:
  /// `status` must outlive it.
  WatchedEngine(std::unique_ptr<Engine> engine, wire::WorkerStatus& status);

  const std::string& device() const override { return engine_->device(); }
  const std::vector<GraphInfo>& graphs() const override { return engine_->graphs(); }
  Pages pages() const override { return engine_->pages(); }
  void prepare(size_t graph) override { engine_->prepare(graph); }
  std::chrono::nanoseconds waited() const override { return engine_->waited(); }
  void release(size_t graph) override;
  Result<Binding> bind(size_t graph, const StepBuffers& buffers) override;
  void unbind(Binding binding) override;
  Status step(Binding binding, StepSize size) override;

 private:
  using Likeness = std::pair<size_t, int>;  // a graph; rows, as a power of two

  std::unique_ptr<Engine> engine_;
  wire::WorkerStatus& status_;
  std::map<Binding, size_t> graph_of_;
  std::map<Likeness, uint64_t> slowest_ns_;
};

/// Says what a worker does from now on.
void enter(wire::WorkerStatus& status, wire::Phase phase);

/// Nanoseconds of the steady clock, which all processes of a machine share.
uint64_t steady_ns();

}  // namespace ovenbird
