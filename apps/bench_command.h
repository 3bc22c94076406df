// The bench command: start, time to first token, rate and memory of every plan and recipe.
#pragma once

#include "command_line.h"
#include "exit_status.h"

namespace ovenbird {

/// Measures each in a process of its own, so that its start and its memory are its own.
ExitStatus bench(const BenchCommand& command);

}  // namespace ovenbird
