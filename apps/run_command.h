// The run command: one prompt, one answer.
#pragma once

#include "command_line.h"
#include "exit_status.h"

namespace ovenbird {

/// Streams the answer to standard output, or prints it as one JSON object.
ExitStatus run(const RunCommand& command);

}  // namespace ovenbird
