// Starting this program once more.
#include "child_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/file_descriptor.h"
#include "exit_status.h"

namespace ovenbird {
namespace {

Code code_of(int exit_status) {
  switch (exit_status) {
    case kExitUsage:
      return Code::kInvalidArgument;
    case kExitInput:
      return Code::kCorrupt;
    case kExitNoDevice:
      return Code::kNoDevice;
    case kExitInterrupted:
      return Code::kInterrupted;
    default:
      return Code::kInternal;
  }
}

std::string read_to_end(int file) {
  std::string text;
  std::array<char, 1 << 14> part;
  ssize_t bytes = 0;
  while ((bytes = ::read(file, part.data(), part.size())) > 0 || (bytes < 0 && errno == EINTR)) {
    if (bytes > 0) text.append(part.data(), static_cast<size_t>(bytes));
  }
  return text;
}

}  // namespace

Result<std::string> output_of_engine(const std::vector<std::string>& arguments) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return fail(Code::kIo, std::string("make a pipe: ") + std::strerror(errno));
  }
  const FileDescriptor reading(ends[0]);
  FileDescriptor writing(ends[1]);
  std::vector<std::string> words{"ovenbird-engine"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, writing.get(), STDOUT_FILENO);
  pid_t child = -1;
  const int error =
      ::posix_spawn(&child, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail(Code::kIo, std::string("start myself: ") + std::strerror(error));

  writing = FileDescriptor(-1);  // else the child's end of the pipe would never be the last
  std::string output = read_to_end(reading.get());
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return output;
  if (WIFSIGNALED(status)) {
    return fail(Code::kDeviceLost, "signal " + std::to_string(WTERMSIG(status)) + " ended it");
  }
  return fail(code_of(WEXITSTATUS(status)), "it ended with exit code " +
                                                std::to_string(WEXITSTATUS(status)) +
                                                ", and said why on standard error");
}

}  // namespace ovenbird
