// The chat command: a conversation in the terminal.
#pragma once

#include "command_line.h"
#include "exit_status.h"

namespace ovenbird {

/// Reads a line, streams an answer, until the input ends.
ExitStatus chat(const ChatCommand& command);

}  // namespace ovenbird
