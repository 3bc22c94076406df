// Cases of this program, run in processes of their own whose NPU is the emulated driver.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace ovenbird {

/// How such a process ended, and what it left.
struct EmulatedRun {
  int exit_code = -1;                   // -1: a signal ended it
  int signal = 0;                       // 0: none did
  std::string output;                   // both streams
  std::vector<nlohmann::json> trace;    // the driver's, a line each
  std::vector<nlohmann::json> reports;  // what it said with report()

  std::vector<nlohmann::json> events(const std::string& name) const;
  size_t count(const std::string& name) const { return events(name).size(); }
};

using Environment = std::map<std::string, std::string>;

/// Runs the case of this exact name; it should be marked doctest::skip(). `settings` are variables
/// without "NPU_EMULATOR_" in front, but for those that begin with "OVENBIRD_". Blocks.
EmulatedRun run_emulated(const std::string& case_name, const Environment& settings);

/// In such a process: says something to the one that started it.
void report(const nlohmann::json& what);

/// In such a process: a variable that the other one must have set.
std::string asked(const char* variable);

/// In such a process: the driver's trace so far.
std::vector<nlohmann::json> trace_so_far();

}  // namespace ovenbird
