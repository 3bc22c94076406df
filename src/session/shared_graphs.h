// The graphs of one engine, held by several plans.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/engine.h"

namespace ovenbird {

/// Counts which plans hold a compiled graph, so that none is given back under another's hands. One
/// thread, that of the engine.
class SharedGraphs {
 public:
  /// The engine must outlive it.
  explicit SharedGraphs(Engine& engine) : engine_(engine), holders_(engine.graphs().size(), 0) {}

  Engine& engine() { return engine_; }

  /// One more holder. Once for each of them, before it prepares or binds the graph.
  void hold(size_t graph);

  /// One holder less, which has unbound what it had bound; the last one gives the compiled graph
  /// back to the engine. Blocks as Engine::release() does then.
  void release(size_t graph);

  /// One holder less, but the graph stays compiled, for whoever comes next.
  void let_go(size_t graph);

  uint32_t holders(size_t graph) const { return holders_[graph]; }

 private:
  Engine& engine_;
  std::vector<uint32_t> holders_;  // [graphs]
};

}  // namespace ovenbird
