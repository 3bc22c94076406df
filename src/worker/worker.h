// Stage 5, worker: the process that drives one device for a supervisor, and may die at any moment.
#pragma once

#include <cstdint>

#include "base/file_descriptor.h"
#include "bundle/bundle.h"
#include "engine/open_engine.h"
#include "ovenbird/result.hpp"
#include "wire/message_socket.h"

namespace ovenbird {

struct WorkerOptions {
  EngineOptions engine;     // where it begins to look for a device
  std::string recipe_name;  // as the supervisor knows it
  uint32_t index = 0;       // of the arena's worker status
  bool standby = false;     // computes something before it says that it is ready
};

/// Compiles, says that it is ready, and then steps the sessions that the supervisor attaches, until
/// it is told to stop or the supervisor has gone. Touches slots and records only after it has been
/// activated, and then holds the arena's lock: of all workers one writes.
/// Blocks for the process's life. Errors: those of open_engine(), Plan::step() and of the arena;
/// the supervisor has been told then, and the process should end.
Status run_worker(const Bundle& bundle, const WorkerOptions& options,
                  wire::MessageSocket supervisor, FileDescriptor arena);

}  // namespace ovenbird
