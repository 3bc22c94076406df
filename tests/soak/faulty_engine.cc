// The environment in, the environment out, and execv.
#include "faulty_engine.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "client_calls.h"

namespace ovenbird {
namespace {

constexpr const char* kEngine = "FAULTY_ENGINE_PROGRAM";
constexpr const char* kFaults = "FAULTY_ENGINE_FAULTS";    // workers are separated by semicolons
constexpr const char* kStarted = "FAULTY_ENGINE_STARTED";  // a file with a byte for each worker
constexpr const char* kTrace = "NPU_EMULATOR_TRACE";

std::string asked(const char* variable) {
  const char* value = std::getenv(variable);
  if (!value) give_up(std::string(variable) + " is not set");
  return value;
}

/// How many workers were started before this one.
size_t claim_number() {
  const std::string path = asked(kStarted);
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const char byte = 'w';
  if (file < 0 || ::write(file, &byte, 1) != 1) give_up("cannot write " + path);
  return static_cast<size_t>(::lseek(file, 0, SEEK_CUR)) - 1;  // where this byte was appended
}

bool is_on_npu(char** arguments) {
  for (; arguments[0] && arguments[1]; ++arguments) {
    if (std::string(arguments[0]) == "--device") return std::string(arguments[1]) == "NPU";
  }
  return false;
}

std::string faults_of_worker(size_t number) {
  std::vector<std::string> of_each;
  std::istringstream all(asked(kFaults));
  for (std::string of_one; std::getline(all, of_one, ';');) of_each.push_back(of_one);
  return of_each.at(std::min(number, of_each.size() - 1));
}

}  // namespace

WorkerFaults::WorkerFaults(const std::string& engine, const std::string& emulator,
                           const std::filesystem::path& notes)
    : trace_(notes / "trace"), started_(notes / "started") {
  ::setenv(kEngine, engine.c_str(), 1);
  ::setenv(kStarted, started_.c_str(), 1);
  ::setenv(kTrace, trace_.c_str(), 1);
  ::setenv("LD_LIBRARY_PATH", emulator.c_str(), 1);
}

void WorkerFaults::plan(const std::vector<std::string>& faults) const {
  std::string all;
  for (const std::string& of_one : faults) all += of_one + ";";
  ::setenv(kFaults, all.c_str(), 1);
  std::filesystem::remove(started_);
  std::filesystem::remove(trace_);
}

std::vector<std::string> WorkerFaults::trace() const {
  std::vector<std::string> lines;
  std::ifstream file(trace_);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::string this_program() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

void become_worker(char** arguments) {
  const std::string engine = asked(kEngine);
  if (is_on_npu(arguments)) {
    ::setenv("NPU_EMULATOR_FAULT", faults_of_worker(claim_number()).c_str(), 1);
  }
  ::execv(engine.c_str(), arguments);
  give_up("cannot become " + engine);
}

}  // namespace ovenbird
