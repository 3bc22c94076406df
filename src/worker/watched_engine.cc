// Phases and step times.
#include "worker/watched_engine.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <utility>

namespace ovenbird {
namespace {

/// A phase that ends where its caller goes on.
class InPhase {
 public:
  InPhase(wire::WorkerStatus& status, wire::Phase phase)
      : status_(status),
        before_(static_cast<wire::Phase>(status.phase.load(std::memory_order_relaxed))) {
    enter(status_, phase);
  }
  ~InPhase() { enter(status_, before_); }
  InPhase(const InPhase&) = delete;
  InPhase& operator=(const InPhase&) = delete;

 private:
  wire::WorkerStatus& status_;
  wire::Phase before_;
};

void add(std::atomic<uint64_t>& number, uint64_t more) {
  number.store(number.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}

}  // namespace

uint64_t steady_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::nanoseconds(now).count());
}

void enter(wire::WorkerStatus& status, wire::Phase phase) {
  // The time first: a phase is never seen with the beginning of the one before it.
  status.phase_since_ns.store(steady_ns(), std::memory_order_release);
  status.phase.store(static_cast<uint32_t>(phase), std::memory_order_release);
}

WatchedEngine::WatchedEngine(std::unique_ptr<Engine> engine, wire::WorkerStatus& status)
    : engine_(std::move(engine)), status_(status) {}

void WatchedEngine::release(size_t graph) {
  const InPhase phase(status_, wire::Phase::kBinding);  // may wait for a graph being compiled
  engine_->release(graph);
}

Result<Engine::Binding> WatchedEngine::bind(size_t graph, const StepBuffers& buffers) {
  const InPhase phase(status_, wire::Phase::kBinding);
  Result<Binding> binding = engine_->bind(graph, buffers);
  if (binding) graph_of_[*binding] = graph;
  return binding;
}

void WatchedEngine::unbind(Binding binding) {
  const InPhase phase(status_, wire::Phase::kBinding);
  engine_->unbind(binding);
}

Status WatchedEngine::step(Binding binding, StepSize size) {
  uint64_t& slowest = slowest_ns_[{graph_of_[binding], std::bit_width(size.width)}];
  status_.slowest_step_ns.store(slowest, std::memory_order_release);
  const InPhase phase(status_, wire::Phase::kStepping);
  const uint64_t begin = status_.phase_since_ns.load(std::memory_order_relaxed);
  Status done = engine_->step(binding, size);
  const uint64_t took = steady_ns() - begin;
  slowest = std::max(slowest, took);
  if (took > status_.slowest_of_all_ns.load(std::memory_order_relaxed)) {
    status_.slowest_of_all_ns.store(took, std::memory_order_relaxed);
  }
  add(status_.steps, 1);
  add(status_.step_ns, took);
  return done;
}

}  // namespace ovenbird
