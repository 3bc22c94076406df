// Starts the programs as a user would, and collects what they say.
#include "program.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <map>

#include "support/temporary_directory.h"

namespace ovenbird {
namespace {

/// An unnamed file in memory that holds `content`, read from its beginning.
int memory_file(std::string_view content) {
  const int file = ::memfd_create("ovenbird-test", MFD_CLOEXEC);
  REQUIRE(file >= 0);
  REQUIRE(::write(file, content.data(), content.size()) == static_cast<ssize_t>(content.size()));
  REQUIRE(::lseek(file, 0, SEEK_SET) == 0);
  return file;
}

std::string content_of(int file) {
  std::string content;
  std::array<char, 1 << 16> part;
  ssize_t bytes = 0;
  while ((bytes = ::pread(file, part.data(), part.size(), static_cast<off_t>(content.size()))) >
         0) {
    content.append(part.data(), static_cast<size_t>(bytes));
  }
  return content;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

}  // namespace

Program::Program(const std::vector<std::string>& arguments, std::string_view input,
                 const std::vector<std::string>& environment) {
  std::vector<std::string> words{OVENBIRD_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> variables = environment;
  for (char** variable = environ; *variable; ++variable) variables.emplace_back(*variable);
  const std::vector<char*> argv = pointers(words);
  const std::vector<char*> envp = pointers(variables);
  const int in = memory_file(input);
  out_ = memory_file("");
  err_ = memory_file("");

  process_ = ::fork();
  REQUIRE(process_ >= 0);
  if (process_ == 0) {
    ::dup2(in, STDIN_FILENO);
    ::dup2(out_, STDOUT_FILENO);
    ::dup2(err_, STDERR_FILENO);
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  ::close(in);
}

Program::~Program() {
  if (is_running()) {
    send(SIGKILL);
    ::waitpid(process_, &status_, 0);
  }
  ::close(out_);
  ::close(err_);
}

bool Program::is_running() {
  if (process_ < 0) return false;
  if (::waitpid(process_, &status_, WNOHANG) == 0) return true;
  process_ = -1;
  return false;
}

void Program::send(int signal) {
  if (process_ >= 0) ::kill(process_, signal);
}

Finished Program::wait() {
  if (process_ >= 0) ::waitpid(process_, &status_, 0);
  process_ = -1;
  Finished finished{.out = content_of(out_), .err = content_of(err_)};
  if (WIFEXITED(status_)) finished.exit_code = WEXITSTATUS(status_);
  if (WIFSIGNALED(status_)) finished.signal = WTERMSIG(status_);
  return finished;
}

std::string Program::out() const { return content_of(out_); }

Finished run_program(const std::vector<std::string>& arguments, std::string_view input,
                     const std::vector<std::string>& environment) {
  return Program(arguments, input, environment).wait();
}

std::string check_failure(const Finished& finished, int exit_code) {
  INFO("standard error: " << finished.err);
  CHECK(finished.exit_code == exit_code);
  CHECK(finished.out == "");
  CHECK(finished.err.starts_with("ovenbird: "));
  CHECK(std::count(finished.err.begin(), finished.err.end(), '\n') == 1);
  return finished.err;
}

std::string golden_path(const std::string& name) {
  return std::string(OVENBIRD_TEST_DATA) + "/golden/" + name;
}

const std::string& baked_golden(const std::string& name) {
  static const TemporaryDirectory directory;
  static std::map<std::string, std::string> baked;
  std::string& bundle = baked[name];
  if (!bundle.empty()) return bundle;
  bundle = directory.path() / std::to_string(baked.size());
  const Finished done = run_program({"bake", golden_path(name), "-o", bundle, "--weights", "f32",
                                     "--cache", "f32", "--context", "256"});
  INFO("standard error: " << done.err);
  REQUIRE(done.exit_code == 0);
  return bundle;
}

}  // namespace ovenbird
