// A program that stands for ovenbird-engine: it gives each worker its faults, and becomes the
// engine.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace ovenbird {

/// Says which faults the workers have that are started on the NPU from now on: the first element is
/// the first worker's, as NPU_EMULATOR_FAULT takes them, and so on; the last one is every later
/// worker's too. Workers on other devices have none, and are not counted. In this process's
/// environment: to be called while no supervisor runs in it.
class WorkerFaults {
 public:
  /// `engine`: the path of ovenbird-engine. `emulator`: the directory of the emulated driver.
  /// `notes`: a directory that exists.
  WorkerFaults(const std::string& engine, const std::string& emulator,
               const std::filesystem::path& notes);

  void plan(const std::vector<std::string>& faults) const;

  /// What the emulated driver has traced since plan(), a line each.
  std::vector<std::string> trace() const;

 private:
  std::filesystem::path trace_;
  std::filesystem::path started_;
};

/// Where this program is, to be given as a supervisor's engine.
std::string this_program();

/// Goes on as the worker that a supervisor wants, with its faults.
[[noreturn]] void become_worker(char** arguments);

}  // namespace ovenbird
