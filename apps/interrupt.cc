// A flag that a signal sets, or an end that it makes.
#include "interrupt.h"

#include <unistd.h>

#include <csignal>
#include <initializer_list>

#include "exit_status.h"

namespace ovenbird {
namespace {

volatile std::sig_atomic_t interrupted = 0;

void set_flag(int) { interrupted = 1; }

void end_program(int) {
  constexpr char kMessage[] = "ovenbird: interrupted\n";
  const auto written = ::write(STDERR_FILENO, kMessage, sizeof kMessage - 1);
  static_cast<void>(written);  // there is nobody left to tell
  ::_exit(kExitInterrupted);
}

/// The default comes back after the first signal. No SA_RESTART: a read from a terminal must end.
void handle(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler == SIG_IGN) continue;  // nohup, or a shell's background job
    sigaction(signal, &action, nullptr);
  }
}

}  // namespace

void exit_on_interrupt() { handle(end_program); }

void watch_for_interrupt() {
  interrupted = 0;
  handle(set_flag);
}

bool is_interrupted() { return interrupted != 0; }

}  // namespace ovenbird
