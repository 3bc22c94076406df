// How a program of ours ends: its exit code, and the one line that says why.
#pragma once

#include "ovenbird/result.hpp"

namespace ovenbird {

/// What a shell sees. Scripts rely on the numbers: append, never renumber.
enum ExitStatus {
  kExitDone = 0,
  kExitFailed = 1,       // anything that has no number of its own
  kExitUsage = 2,        // the command line is wrong
  kExitInput = 3,        // the source or the bundle is missing, damaged or not supported
  kExitNoDevice = 4,     // no device can be used as asked
  kExitInterrupted = 5,  // Ctrl-C
};

ExitStatus exit_status(Code code);

/// Writes "ovenbird: MESSAGE" to standard error, always one line, and returns the exit status.
ExitStatus report(const Error& error);

/// Writes a warning or a note, one line, to standard error.
void note(const std::string& message);

/// Flushes standard output. A reader that has gone or a full disk is a failure, which it reports.
ExitStatus finish_output();

}  // namespace ovenbird
