// Starting this program once more, under the emulated driver.
#include "engine/emulated.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "support/temporary_directory.h"

namespace ovenbird {
namespace {

constexpr const char* kReports = "OVENBIRD_TEST_REPORTS";
constexpr const char* kTrace = "NPU_EMULATOR_TRACE";

std::vector<nlohmann::json> json_lines(const std::string& path) {
  std::vector<nlohmann::json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (file.eof()) break;  // without its end: it is just being written
    lines.push_back(nlohmann::json::parse(line));
  }
  return lines;
}

[[noreturn]] void become(const std::string& case_name, const Environment& environment,
                         const std::string& output) {
  for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
  const int fd = ::open(output.c_str(), O_WRONLY | O_CREAT, 0600);
  ::dup2(fd, STDOUT_FILENO);
  ::dup2(fd, STDERR_FILENO);
  const std::string chosen = "-tc=" + case_name;
  ::execl("/proc/self/exe", "engine_test", "--no-skip", chosen.c_str(), nullptr);
  ::_exit(127);
}

}  // namespace

std::vector<nlohmann::json> EmulatedRun::events(const std::string& name) const {
  std::vector<nlohmann::json> found;
  std::copy_if(trace.begin(), trace.end(), std::back_inserter(found),
               [&](const nlohmann::json& line) { return line["event"] == name; });
  return found;
}

EmulatedRun run_emulated(const std::string& case_name, const Environment& settings) {
  const TemporaryDirectory directory;
  const auto file = [&](const char* name) { return (directory.path() / name).string(); };
  Environment environment{{"LD_LIBRARY_PATH", OVENBIRD_NPU_EMULATOR},
                          {"OVENBIRD_TEST_DEVICE", "NPU"},
                          {kReports, file("reports")},
                          {kTrace, file("trace")}};
  for (const auto& [name, value] : settings) {
    environment[name.starts_with("OVENBIRD_") ? name : "NPU_EMULATOR_" + name] = value;
  }
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) become(case_name, environment, file("output"));
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  EmulatedRun run{.trace = json_lines(file("trace")), .reports = json_lines(file("reports"))};
  std::ifstream output(file("output"));
  run.output.assign(std::istreambuf_iterator<char>(output), {});
  if (WIFEXITED(status)) run.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) run.signal = WTERMSIG(status);
  return run;
}

void report(const nlohmann::json& what) {
  std::ofstream(asked(kReports), std::ios::app) << what.dump() << "\n" << std::flush;
}

std::string asked(const char* variable) {
  const char* value = std::getenv(variable);
  CAPTURE(variable);
  REQUIRE_MESSAGE(value, "not set: this case is started by another one");
  return value;
}

std::vector<nlohmann::json> trace_so_far() { return json_lines(asked(kTrace)); }

}  // namespace ovenbird
