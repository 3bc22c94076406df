// fork, run, kill.
#include "supervisor/supervisor_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

namespace ovenbird {
namespace {

Supervisor* running = nullptr;

void drain(int) { running->stop(Supervisor::Stop::kDrain); }

/// What the child does. Never returns; nothing of the test is destroyed in it.
[[noreturn]] void serve(const SupervisorOptions& options, int ready) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  int code = 1;
  {
    Result<std::unique_ptr<Supervisor>> supervisor = Supervisor::start(options);
    if (!supervisor) {
      std::fprintf(stderr, "%s\n", supervisor.error().message.c_str());
      ::_exit(2);
    }
    running = supervisor->get();
    std::signal(SIGTERM, drain);
    if (::write(ready, "r", 1) == 1 && (*supervisor)->run()) code = 0;
  }
  ::_exit(code);
}

}  // namespace

SupervisorProcess::SupervisorProcess(const SupervisorOptions& options) : socket_(options.socket) {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  pid_ = ::fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) serve(options, ends[1]);
  ::close(ends[1]);
  char byte = 0;
  const bool is_ready = ::read(ends[0], &byte, 1) == 1;
  ::close(ends[0]);
  REQUIRE(is_ready);
}

SupervisorProcess::~SupervisorProcess() { kill(); }

void SupervisorProcess::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

int SupervisorProcess::stop() {
  int status = 0;
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

RawClient SupervisorProcess::connect() const {
  Result<wire::MessageSocket> socket = wire::connect_to(socket_);
  if (!socket) FAIL(socket.error().message);
  return RawClient(std::move(*socket));
}

}  // namespace ovenbird
