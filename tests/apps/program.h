// Starts the programs as a user would, and collects what they say.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

namespace ovenbird {

/// How a process ended, and what it wrote.
struct Finished {
  int exit_code = -1;  // -1: a signal ended it
  int signal = 0;
  std::string out;
  std::string err;
};

/// A started program whose output goes to unnamed files, so that it never has to wait for a reader.
class Program {
 public:
  /// Starts `ovenbird` with `arguments`; `input` is its standard input, `environment` (NAME=VALUE)
  /// is added to this process's.
  explicit Program(const std::vector<std::string>& arguments, std::string_view input = "",
                   const std::vector<std::string>& environment = {});
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program();

  bool is_running();
  void send(int signal);
  Finished wait();
  /// What it has written to standard output so far.
  std::string out() const;

 private:
  pid_t process_ = -1;
  int status_ = 0;
  int out_ = -1;
  int err_ = -1;
};

/// Runs `ovenbird` to its end.
Finished run_program(const std::vector<std::string>& arguments, std::string_view input = "",
                     const std::vector<std::string>& environment = {});

/// Checks that `finished` failed as a program of ours does: this code, nothing on standard output,
/// one line beginning with "ovenbird: " on standard error. Returns that line.
std::string check_failure(const Finished& finished, int exit_code);

/// A golden checkpoint, baked once for all tests of this process, with f32 weights and cache.
/// `name` as in tests/data/golden, for example "qwen2" or "gguf/llama_f16.gguf".
const std::string& baked_golden(const std::string& name);

std::string golden_path(const std::string& name);

}  // namespace ovenbird
