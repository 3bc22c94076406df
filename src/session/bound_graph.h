// One step graph with the memory for its inputs and outputs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/page_memory.h"
#include "bundle/manifest.h"
#include "engine/engine.h"
#include "ovenbird/result.hpp"
#include "session/plan.h"

namespace ovenbird {

/// Takes its memory and is bound when it first runs.
class BoundGraph {
 public:
  /// `logits` as in PlanMemory.
  BoundGraph(std::shared_ptr<SharedGraphs> graphs, const Manifest& manifest, size_t graph,
             std::span<float> logits);
  ~BoundGraph();
  BoundGraph(const BoundGraph&) = delete;
  BoundGraph& operator=(const BoundGraph&) = delete;

  const GraphInfo& info() const { return graphs_->engine().graphs()[graph_]; }
  size_t graph() const { return graph_; }

  /// Rows of logits that a step of `width` rows gives.
  uint32_t logit_rows(uint32_t width) const;

  /// Which rows of a step are what. Rows are padded at the front, so that the newest token is
  /// always the last row.
  struct Rows {
    std::span<const int32_t> tokens;  // at most W
    uint32_t first_position = 0;      // of tokens[0]
    uint32_t seen = 0;                // rows of the cache that hold something
    uint32_t past = 0;                // rows of the cache that the graph reads: its P, or if open
                                      // the cache's capacity
  };

  /// Runs one step over the cache tensors `past`, which must be the same at every call. `past_max`:
  /// the most rows that an open past will ever have. Gives the rows of logits of the newest tokens.
  Result<Logits> run(const Rows& rows, const TensorStack& past, uint32_t past_max);

  /// Begins to compile the graph in the background.
  void prepare();

  /// Gives the memory back, and the compiled graph, unless another plan holds it; the next run
  /// takes them again.
  void release();

  /// The last step's new rows, each tensor [kv_heads, step_width(), head_dim]; token 0 is row
  /// first_row().
  const std::vector<std::byte*>& present() const { return buffers_.present.tensors; }
  uint32_t step_width() const { return step_width_; }
  uint32_t first_row() const { return first_row_; }

 private:
  void hold();
  void unbind();
  Status bind(const TensorStack& past, uint32_t past_max);
  void fill_inputs(const Rows& rows);

  std::shared_ptr<SharedGraphs> graphs_;
  const Manifest& manifest_;
  size_t graph_;
  std::span<float> logits_;
  bool is_held_ = false;  // is compiled, or being compiled, and must stay so
  std::optional<Engine::Binding> binding_;
  PageMemory memory_;
  StepBuffers buffers_;
  uint32_t step_width_ = 0;
  uint32_t first_row_ = 0;
};

}  // namespace ovenbird
