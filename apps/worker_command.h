// The worker command: one device's process, started by a supervisor.
#pragma once

#include "command_line.h"
#include "exit_status.h"

namespace ovenbird {

/// Blocks for the process's life. The supervisor's socket and the arena are the descriptors that
/// wire/worker_protocol.h names.
ExitStatus work(const WorkerCommand& command);

}  // namespace ovenbird
