// A supervisor in a process of its own, to be killed.
#pragma once

#include <sys/types.h>

#include <string>

#include "supervisor/supervisor_bench.h"

namespace ovenbird {

class SupervisorProcess {
 public:
  /// Forks: no thread may be there. Returns when it listens.
  explicit SupervisorProcess(const SupervisorOptions& options);
  ~SupervisorProcess();
  SupervisorProcess(const SupervisorProcess&) = delete;
  SupervisorProcess& operator=(const SupervisorProcess&) = delete;

  /// SIGKILL, and it is gone.
  void kill();
  /// SIGTERM, upon which it drains. Returns its exit code.
  int stop();
  pid_t pid() const { return pid_; }

  RawClient connect() const;

 private:
  std::string socket_;
  pid_t pid_ = -1;
};

}  // namespace ovenbird
