// The serve command: a supervisor as a daemon.
#pragma once

#include "command_line.h"
#include "exit_status.h"

namespace ovenbird {

/// Serves until SIGTERM or SIGINT: then answers under way are finished; a second signal ends it at
/// once. SIGHUP changes nothing. Blocks.
ExitStatus serve(const ServeCommand& command);

}  // namespace ovenbird
