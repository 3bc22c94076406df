// Makes a worker ready to take over within one step.
#pragma once

#include "ovenbird/result.hpp"
#include "worker/slot_runner.h"

namespace ovenbird {

/// Reads a prompt and says two tokens, in memory of its own: the graphs for both are compiled then
/// and have run, which is when a device lays out its weights. They stay compiled. Blocks for as
/// long as that takes. Errors: those of make_plan() and Plan::step().
Status warm_up(const WorkerModel& model);

}  // namespace ovenbird
