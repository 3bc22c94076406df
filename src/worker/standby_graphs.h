// Makes a worker ready to take over within one step, and keeps it so.
#pragma once

#include <memory>

#include "ovenbird/result.hpp"
#include "session/plan.h"
#include "worker/slot_runner.h"

namespace ovenbird {

/// Which graphs a conversation goes on with depends on its length: those are kept compiled that the
/// conversations of the worker that is active would need. What is compiled stays so behind this.
class StandbyGraphs {
 public:
  /// Reads a prompt and says two tokens, in memory of its own: the graphs for both are compiled
  /// then and have run, which is when a device lays out its weights. Blocks for as long as that
  /// takes. Errors: those of make_plan() and Plan::step().
  static Result<StandbyGraphs> create(const WorkerModel& model);

  /// Looks how long the conversations in the slots are, and has the graphs that they need compiled
  /// in the background. To be called now and then.
  void follow(const wire::Arena& arena);

 private:
  StandbyGraphs(std::unique_ptr<Plan> shortest, std::unique_ptr<Plan> longest)
      : shortest_(std::move(shortest)), longest_(std::move(longest)) {}

  // They hold graphs, and no conversation.
  std::unique_ptr<Plan> shortest_;
  std::unique_ptr<Plan> longest_;
};

}  // namespace ovenbird
