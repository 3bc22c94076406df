// posix_spawn, pidfd, waitid.
#include "supervisor/worker_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "wire/worker_protocol.h"

namespace ovenbird {
namespace {

constexpr int kAboveTargets = 16;  // descriptors that the child's own do not run over

/// What the child is given, in the order in which it is done.
class SpawnPlan {
 public:
  SpawnPlan(int socket, int arena)
      : socket_(::fcntl(socket, F_DUPFD_CLOEXEC, kAboveTargets)),
        arena_(::fcntl(arena, F_DUPFD_CLOEXEC, kAboveTargets)) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    // A program may have closed it; then a descriptor of ours may have taken its place.
    const int flags = ::fcntl(STDERR_FILENO, F_GETFD);
    if (flags < 0 || (flags & FD_CLOEXEC) != 0) {
      ::posix_spawn_file_actions_addopen(&actions_, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    }
    ::posix_spawn_file_actions_adddup2(&actions_, STDERR_FILENO, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions_, socket_.get(), wire::kWorkerSocket);
    ::posix_spawn_file_actions_adddup2(&actions_, arena_.get(), wire::kWorkerArena);
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, wire::kWorkerArena + 1);
    ::posix_spawnattr_init(&attributes_);
    sigset_t signals;
    sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes_, &signals);
    sigfillset(&signals);
    ::posix_spawnattr_setsigdefault(&attributes_, &signals);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  int spawn(pid_t& child, const std::string& program, std::vector<char*>& arguments) const {
    if (!socket_ || !arena_) return EMFILE;
    return ::posix_spawn(&child, program.c_str(), &actions_, &attributes_, arguments.data(),
                         environ);
  }

 private:
  FileDescriptor socket_;
  FileDescriptor arena_;
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

std::string describe(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return "exit code " + std::to_string(info.si_status);
  return "signal " + std::to_string(info.si_status) + " (" + ::strsignal(info.si_status) + ")";
}

}  // namespace

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::start(const Start& start) {
  Result<std::array<wire::MessageSocket, 2>> ends = wire::socket_pair();
  if (!ends) return Failure{ends.error()};
  std::vector<std::string> words{start.program};
  words.insert(words.end(), start.arguments.begin(), start.arguments.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t pid = -1;
  const int error =
      SpawnPlan((*ends)[1].descriptor(), start.arena).spawn(pid, start.program, arguments);
  if (error != 0) {
    return fail(error == ENOENT ? Code::kNotFound : Code::kIo,
                "start " + start.program + ": " + std::strerror(error) +
                    "; install it beside ovenbird, or name it in OVENBIRD_ENGINE");
  }
  FileDescriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) {
    const std::string why = std::strerror(errno);
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return fail(Code::kIo, "watch " + start.program + ": " + why);
  }
  return std::unique_ptr<WorkerProcess>(
      new WorkerProcess(pid, std::move(pidfd), std::move((*ends)[0]), start));
}

WorkerProcess::WorkerProcess(pid_t pid, FileDescriptor pidfd, wire::MessageSocket socket,
                             const Start& start)
    : pid_(pid),
      pidfd_(std::move(pidfd)),
      socket_(std::move(socket)),
      device_(start.device),
      index_(start.index) {}

WorkerProcess::~WorkerProcess() {
  kill();
  reap(0);
}

void WorkerProcess::kill() const {
  if (!is_gone_) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

bool WorkerProcess::has_ended() { return reap(WNOHANG); }

bool WorkerProcess::reap(int options) {
  if (is_gone_) return true;
  siginfo_t info{};
  int done = 0;
  do {
    done = ::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd_.get()), &info,
                    WEXITED | options);
  } while (done != 0 && errno == EINTR);
  if (done == 0 && info.si_pid == 0) return false;  // it lives
  is_gone_ = true;
  // ECHILD: another part of this program has waited for it.
  how_it_ended_ = done == 0 ? describe(info) : "an end that somebody else saw";
  return true;
}

}  // namespace ovenbird
