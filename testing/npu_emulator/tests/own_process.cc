// A child runs the case whose name it is given, and knows its settings by a variable.
#include "own_process.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "support/temporary_directory.h"

namespace npu_emulator {
namespace {

constexpr const char* kMarker = "EMULATOR_TEST_SETTINGS";  // set in a child only
constexpr const char* kIsHere = "these are the settings";
constexpr const char* kTrace = "NPU_EMULATOR_TRACE";

std::string text_of(const Environment& settings) { return nlohmann::json(settings).dump(); }

void append_option(const char* variable, const std::string& option) {
  const char* before = std::getenv(variable);
  ::setenv(variable, ((before ? before + std::string(":") : "") + option).c_str(), 1);
}

[[noreturn]] void become_child(const Environment& settings, const std::string& directory) {
  // Signals are to end the process as they would without a sanitizer.
  for (const char* variable : {"ASAN_OPTIONS", "TSAN_OPTIONS"}) {
    append_option(variable, "handle_segv=0:handle_abort=0");
  }
  ::setenv("LD_LIBRARY_PATH", NPU_EMULATOR_DIRECTORY, 1);
  ::setenv(kMarker, text_of(settings).c_str(), 1);
  ::setenv(kTrace, (directory + "/trace").c_str(), 1);
  for (const auto& [name, value] : settings) {
    ::setenv(("NPU_EMULATOR_" + name).c_str(), value.c_str(), 1);
  }
  const int fd = ::open((directory + "/output").c_str(), O_WRONLY | O_CREAT, 0600);
  ::dup2(fd, STDOUT_FILENO);
  ::dup2(fd, STDERR_FILENO);
  const std::string chosen =
      std::string("-tc=") + doctest::getContextOptions()->currentTest->m_name;
  ::execl("/proc/self/exe", "npu_emulator_test", "--no-skip", chosen.c_str(), nullptr);
  ::_exit(127);
}

}  // namespace

OwnProcess run_own_process(const Environment& settings) {
  if (const char* marker = std::getenv(kMarker)) {
    const bool is_here = text_of(settings) == marker;
    if (is_here) std::puts(kIsHere);
    return {.is_here = is_here, .ended = {}};
  }
  const ovenbird::TemporaryDirectory directory;
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) become_child(settings, directory.path().string());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  Ended ended;
  if (WIFEXITED(status)) ended.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) ended.signal = WTERMSIG(status);
  std::ifstream output(directory.path() / "output");
  ended.output.assign(std::istreambuf_iterator<char>(output), {});
  return {.is_here = false, .ended = std::move(ended)};
}

bool in_own_process(const Environment& settings) {
  const OwnProcess process = run_own_process(settings);
  if (!process.ended) return process.is_here;
  CAPTURE(text_of(settings));
  CAPTURE(process.ended->output);
  CHECK(process.ended->signal == 0);
  CHECK(process.ended->exit_code == 0);
  CHECK(process.ended->output.find(kIsHere) != std::string::npos);  // it has not passed by
  return false;
}

std::vector<nlohmann::json> traced(const std::string& event) {
  std::vector<nlohmann::json> lines;
  const char* path = std::getenv(kTrace);
  REQUIRE(path);
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    lines.push_back(nlohmann::json::parse(line));
    if (lines.back()["event"] != event) lines.pop_back();
  }
  return lines;
}

}  // namespace npu_emulator
