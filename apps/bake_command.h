// The bake command: source in, bundle out, with progress on the way.
#pragma once

#include "command_line.h"
#include "exit_status.h"

namespace ovenbird {

/// Bakes, reports progress and errors on standard error, and says on standard output what was made.
ExitStatus bake_bundle(const BakeCommand& command);

}  // namespace ovenbird
