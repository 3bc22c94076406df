// Ctrl-C: the first one asks the work to end cleanly, the second ends the program at once.
#pragma once

namespace ovenbird {

/// From now on SIGINT, SIGTERM and SIGHUP only set a flag, once; the next one of them kills.
void watch_for_interrupt();

/// Whether such a signal has come. Cheap: may be asked after every token or row.
bool is_interrupted();

}  // namespace ovenbird
