// A flag that a signal sets.
#include "interrupt.h"

#include <csignal>
#include <initializer_list>

namespace ovenbird {
namespace {

volatile std::sig_atomic_t interrupted = 0;

void on_signal(int) { interrupted = 1; }

}  // namespace

void watch_for_interrupt() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  // The default comes back after the first signal. No SA_RESTART: a read from a terminal must end.
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler == SIG_IGN) continue;  // nohup, or a shell's background job
    sigaction(signal, &action, nullptr);
  }
}

bool is_interrupted() { return interrupted != 0; }

}  // namespace ovenbird
