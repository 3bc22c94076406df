// Plans over a cache: prefill in chunks, decode, verify drafts, and go on when the cache is full.
#pragma once

#include <memory>
#include <vector>

#include "session/bound_graph.h"
#include "session/cache_slot.h"
#include "session/plan.h"

namespace ovenbird {

/// Serves "cached" (graphs of fixed past, perhaps one of open past) and "dynamic" (one open graph).
///
/// When the cache is full, the first few rows (attention sinks; Xiao et al., 2023, "Efficient
/// Streaming Language Models with Attention Sinks") and the recent half stay, the rows between are
/// dropped and the keys behind them turned to their new positions. So positions stay inside what
/// the model was trained on, and the cost is spread over half a cache of tokens.
class CachePlan : public Plan {
 public:
  /// `graphs`: indices into engine.graphs(), all of one plan. Errors: kIo (memory).
  static Result<std::unique_ptr<CachePlan>> create(Engine& engine, const Manifest& manifest,
                                                   const std::vector<size_t>& graphs);

  uint64_t tokens() const override { return dropped_ + slot_.rows(); }
  uint32_t chunk(uint32_t tokens, LogitRows wanted) const override;
  double relative_cost(uint32_t tokens) const override;
  void expect(uint64_t tokens) override;
  Result<Logits> step(std::span<const int32_t> tokens, LogitRows wanted) override;
  void commit(uint32_t count) override;
  uint64_t keep(uint64_t count) override;

 private:
  enum class Steps { kOne, kMany };

  CachePlan(Engine& engine, const Manifest& manifest, const std::vector<size_t>& graphs,
            CacheSlot slot, uint32_t rows_max);

  BoundGraph& choose(uint32_t tokens, LogitRows wanted, Steps steps) const;
  uint32_t sinks() const;
  uint32_t rows_dropped_at_once() const;
  void make_room();
  uint32_t next_capacity(uint32_t rows) const;
  uint32_t lay_out_for(const GraphInfo& graph);
  uint32_t shortest_past(uint32_t rows) const;
  void prepare_graphs(uint32_t past);

  CacheSlot slot_;
  uint32_t rows_max_;  // rows that may be held; slot_ may be laid out for more
  std::vector<std::unique_ptr<BoundGraph>> graphs_;
  BoundGraph* stepped_ = nullptr;  // the graph of a step that has not been committed
  uint32_t past_expected_ = 0;     // graphs of a shorter fixed past are not used
  uint64_t dropped_ = 0;
};

}  // namespace ovenbird
