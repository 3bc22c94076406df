// A process for one test: a copy of this one that runs one function.
#pragma once

#include <csignal>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>

#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

namespace ovenbird {

/// Killed when it goes out of scope, if it has not ended before.
class ForkedProcess {
 public:
  /// `work` says whether all went well. In it there is no doctest: it returns, or is killed.
  explicit ForkedProcess(const std::function<bool()>& work) : process_(::fork()) {
    REQUIRE(process_ >= 0);
    if (process_ > 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::_exit(work() ? 0 : 1);
  }
  ForkedProcess(const ForkedProcess&) = delete;
  ForkedProcess& operator=(const ForkedProcess&) = delete;
  ~ForkedProcess() { kill(); }

  /// Waits for its end. Whether its work went well.
  bool ends_well() {
    int status = 0;
    REQUIRE(::waitpid(process_, &status, 0) == process_);
    process_ = -1;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

  /// It is gone, reaped, when this returns.
  void kill() {
    if (process_ < 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    process_ = -1;
  }

  /// Returns when its only thread sleeps in the kernel.
  void wait_until_it_sleeps() const {
    for (;;) {
      std::ifstream file("/proc/" + std::to_string(process_) + "/stat");
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      const size_t name_end = text.rfind(") ");
      REQUIRE(name_end != std::string::npos);
      if (text[name_end + 2] == 'S') return;
      ::sched_yield();
    }
  }

 private:
  int process_;
};

}  // namespace ovenbird
