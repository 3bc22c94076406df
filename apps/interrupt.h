// Ctrl-C, in the two ways a command may want it. SIGTERM and SIGHUP count as well.
#pragma once

namespace ovenbird {

/// While there is nothing to keep: the first signal ends the program, exit code 5.
void exit_on_interrupt();

/// While there is: the first signal only sets a flag, which this clears; the second one kills.
void watch_for_interrupt();

/// Whether a signal has come since watch_for_interrupt(). Cheap: may be asked after every token.
bool is_interrupted();

}  // namespace ovenbird
