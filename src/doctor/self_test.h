// What became of trying the NPU in a process of its own, which a driver may crash or hang.
#pragma once

#include <string>

namespace ovenbird {

/// What that process says, if it lives to say it.
struct NpuAnswer {
  bool is_listed = false;      // among OpenVINO's devices
  std::string name;            // "Intel(R) AI Boost"
  std::string architecture;    // "4000"
  std::string driver;          // its version, as the driver says it
  std::string failed_step;     // "list", "describe", "compile", "run", "compare", "import"; empty:
                               // all went well
  std::string error;           // of that step: one line
  bool imports_pages = false;  // the device read and wrote pages of ours in place
  std::string import_error;    // why not: one line
};

struct SelfTest {
  enum class Ending {
    kNotRun,
    kAnswered,
    kNotStarted,  // there is no such program
    kDied,        // a signal ended it, or it gave up
    kTimedOut,
    kNonsense,  // it said something else than an answer
  };
  Ending ending = Ending::kNotRun;
  std::string detail;  // one line, unless it answered: which signal, its last words
  NpuAnswer answer;

  bool found_usable_npu() const {
    return ending == Ending::kAnswered && answer.is_listed && answer.failed_step.empty();
  }
};

}  // namespace ovenbird
