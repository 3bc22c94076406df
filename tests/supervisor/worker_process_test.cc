// Processes that end in every way, as their parent sees it.
#include "supervisor/worker_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include <doctest/doctest.h>

namespace ovenbird {
namespace {

/// A shell in a worker's place.
Result<std::unique_ptr<WorkerProcess>> shell(const std::string& script) {
  static const FileDescriptor arena(::memfd_create("arena", MFD_CLOEXEC));
  return WorkerProcess::start(
      {.program = "/bin/sh", .arguments = {"-c", script}, .device = "CPU", .arena = arena.get()});
}

std::string end_of(const std::string& script) {
  Result<std::unique_ptr<WorkerProcess>> worker = shell(script);
  REQUIRE(worker);
  pollfd ended{.fd = (*worker)->exit_descriptor(), .events = POLLIN, .revents = 0};
  REQUIRE(::poll(&ended, 1, 120'000) == 1);
  REQUIRE((*worker)->has_ended());
  return (*worker)->how_it_ended();
}

TEST_CASE("how a process ended is told in words") {
  CHECK(end_of("exit 0") == "exit code 0");
  CHECK(end_of("exit 7") == "exit code 7");
  CHECK(end_of("kill -SEGV $$").starts_with("signal 11 ("));
  CHECK(end_of("kill -KILL $$") == "signal 9 (Killed)");
}

TEST_CASE("it has its socket, its arena and nothing else, and no signal is blocked or ignored") {
  sigset_t blocked;
  sigset_t before;
  sigfillset(&blocked);
  REQUIRE(::pthread_sigmask(SIG_BLOCK, &blocked, &before) == 0);
  const auto old = std::signal(SIGTERM, SIG_IGN);
  const int inherited = ::fcntl(STDERR_FILENO, F_DUPFD, 20);  // without O_CLOEXEC
  // While a shell waits for another program it blocks signals, so it reads what is blocked itself.
  const std::string script =
      "test \"$(readlink /proc/$$/fd/0)\" = /dev/null || exit 1\n"
      "test \"$(readlink /proc/$$/fd/1)\" = \"$(readlink /proc/$$/fd/2)\" || exit 2\n"
      "test -S /proc/$$/fd/3 || exit 3\n"
      "test -f /proc/$$/fd/4 || exit 4\n"
      "test ! -e /proc/$$/fd/5 -a ! -e /proc/$$/fd/20 || exit 5\n"
      "while read -r key value; do test $key != SigBlk: || blocked=$value; done </proc/$$/status\n"
      "case $blocked in *[!0]*) exit 6;; esac\n"
      "kill -TERM $$\nexit 7\n";
  CHECK(end_of(script) == "signal 15 (Terminated)");
  ::close(inherited);
  std::signal(SIGTERM, old);
  REQUIRE(::pthread_sigmask(SIG_SETMASK, &before, nullptr) == 0);
}

TEST_CASE("a program whose standard descriptors are closed starts workers all the same") {
  const FileDescriptor saved(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 20));
  ::close(STDERR_FILENO);
  const std::string ended = end_of("test -c /proc/$$/fd/2 -a -S /proc/$$/fd/3 && exit 5");
  ::dup2(saved.get(), STDERR_FILENO);
  CHECK(ended == "exit code 5");
}

TEST_CASE("a program that is not there, or is none, does not start") {
  const FileDescriptor arena(::memfd_create("arena", MFD_CLOEXEC));
  const auto error_of = [&](const std::string& program) {
    const auto worker = WorkerProcess::start({.program = program, .arena = arena.get()});
    REQUIRE_FALSE(worker);
    CHECK(worker.error().message.find(program) != std::string::npos);
    return worker.error().code;
  };
  CHECK(error_of("/nowhere/ovenbird-engine") == Code::kNotFound);
  CHECK(error_of("/proc/self/status") == Code::kIo);
}

TEST_CASE("to destroy it ends it, and another part of the program may have waited for it") {
  pid_t pid = -1;
  {
    Result<std::unique_ptr<WorkerProcess>> worker = shell("kill -STOP $$");
    REQUIRE(worker);
    pid = (*worker)->pid();
    CHECK_FALSE((*worker)->has_ended());
  }
  CHECK(::kill(pid, 0) == -1);

  Result<std::unique_ptr<WorkerProcess>> worker = shell("exit 3");
  REQUIRE(worker);
  REQUIRE(::waitpid((*worker)->pid(), nullptr, 0) == (*worker)->pid());
  CHECK((*worker)->has_ended());
  CHECK((*worker)->how_it_ended().find("somebody else") != std::string::npos);
  (*worker)->kill();  // nobody
}

}  // namespace
}  // namespace ovenbird
