// The plain fixed window: no cache; every step computes the newest W tokens again.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "session/bound_graph.h"
#include "session/plan.h"

namespace ovenbird {

/// Truncates to the newest W tokens, as the classic fixed window does, and can slide for ever.
/// Positions count from the window's first token, so they stay in [0, W); a model that was trained
/// on less than W tokens gets no more than that.
class WindowPlan : public Plan {
 public:
  /// `graph` is an index into the engine's graphs; `logits` as in PlanMemory.
  WindowPlan(std::shared_ptr<SharedGraphs> graphs, const Manifest& manifest, size_t graph,
             std::span<float> logits);

  uint64_t tokens() const override { return tokens_.size(); }
  uint32_t chunk(uint32_t tokens, LogitRows wanted) const override;
  double relative_cost(uint32_t) const override { return 1.0; }  // every step computes all rows
  void expect(uint64_t tokens) override { tokens_.reserve(tokens + kAnswerTokens); }
  Result<Logits> step(std::span<const int32_t> tokens, LogitRows wanted) override;
  void commit(uint32_t count) override;
  uint64_t keep(uint64_t count) override;
  Status restore(std::span<const int32_t> tokens) override;
  uint64_t take_prefix(const Plan& from, uint64_t count) override;

 private:
  BoundGraph graph_;
  uint32_t tokens_max_;
  std::vector<int32_t> tokens_;   // committed
  std::vector<int32_t> stepped_;  // of the last step
  std::vector<int32_t> window_;   // scratch
};

}  // namespace ovenbird
