// Cases that run in processes of their own: the driver reads its settings once a process, and some
// faults end it.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace npu_emulator {

/// Variables, by their names without "NPU_EMULATOR_".
using Environment = std::map<std::string, std::string>;

/// For the top of a test case. In the test program: starts it once more for this case alone, under
/// `settings`, fails unless all goes well there, and gives false. In the process that was started
/// for just these settings: true. A case may go through several settings in this way; its name
/// must have no comma.
///
///   for (const Row& row : rows) {
///     if (!in_own_process({{"FAULT", row.fault}})) continue;
///     ...
bool in_own_process(const Environment& settings);

/// How a process ended.
struct Ended {
  int exit_code = -1;  // -1: a signal ended it
  int signal = 0;      // 0: none did
  std::string output;  // both streams
};

/// The same for a process that is not expected to end well: nothing is checked.
struct OwnProcess {
  bool is_here = false;        // this is the process that was started for these settings
  std::optional<Ended> ended;  // nothing in a process that was started, whatever for
};
OwnProcess run_own_process(const Environment& settings);

/// In such a process: the driver's trace so far, only the events of this name.
std::vector<nlohmann::json> traced(const std::string& event);

}  // namespace npu_emulator
