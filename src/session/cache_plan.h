// Plans over a cache: prefill in chunks, decode, verify drafts, and go on when the cache is full.
#pragma once

#include <memory>
#include <utility>
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
///
/// Which graph takes a step, and how the slot is laid out for it, is decided when the step begins,
/// from the rows held, the tokens dropped and the tokens given. Where the past is open, from the
/// slot's capacity too, which a step that is made a second time finds as the first one did.
class CachePlan : public Plan {
 public:
  /// `graphs`: indices into the engine's graphs, all of one plan; `slot_rows`: rows of memory.slot.
  /// Errors: kIo (memory), kInvalidArgument (the caller's memory does not do).
  static Result<std::unique_ptr<CachePlan>> create(const std::shared_ptr<SharedGraphs>& shared,
                                                   const Manifest& manifest,
                                                   const std::vector<size_t>& graphs,
                                                   uint32_t slot_rows, const PlanMemory& memory);

  uint64_t tokens() const override { return uint64_t{slot_.dropped()} + slot_.rows(); }
  uint32_t chunk(uint32_t tokens, LogitRows wanted) const override;
  double relative_cost(uint32_t tokens) const override;
  void expect(uint64_t tokens) override;
  Result<Logits> step(std::span<const int32_t> tokens, LogitRows wanted) override;
  void commit(uint32_t count) override;
  uint64_t keep(uint64_t count) override;
  Status restore(std::span<const int32_t> tokens) override;
  uint64_t take_prefix(const Plan& from, uint64_t count) override;

 private:
  enum class Steps { kOne, kMany };

  /// What a step finds in the slot when it begins.
  struct Held {
    uint32_t rows = 0;
    bool has_dropped = false;
  };

  CachePlan(CacheSlot slot, uint32_t rows_max) : slot_(std::move(slot)), rows_max_(rows_max) {}

  Held held_by_step() const;
  BoundGraph& choose(Held held, uint32_t tokens, LogitRows wanted, Steps steps) const;
  uint32_t sinks() const;
  uint32_t rows_dropped_at_once() const;
  void make_room();
  uint32_t next_capacity(uint32_t rows) const;
  uint32_t lay_out_for(const GraphInfo& graph, uint32_t count);
  uint32_t longest_past() const;
  uint32_t shortest_past(Held held) const;
  void release_graphs(uint32_t past);
  void prepare_graphs(uint32_t past);

  CacheSlot slot_;
  uint32_t rows_max_;  // rows that may be held; slot_ may be laid out for more
  std::vector<std::unique_ptr<BoundGraph>> graphs_;
  BoundGraph* stepped_ = nullptr;  // the graph of a step that has not been committed
};

}  // namespace ovenbird
