// The score command: how likely a model finds a text.
#pragma once

#include "command_line.h"
#include "exit_status.h"

namespace ovenbird {

/// Prints log-probabilities and perplexity to standard output.
ExitStatus score_text(const ScoreCommand& command);

}  // namespace ovenbird
