// Error codes to exit codes, and messages to standard error.
#include "exit_status.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "base/message_text.h"

namespace ovenbird {

ExitStatus exit_status(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return kExitUsage;
    case Code::kNotFound:
    case Code::kCorrupt:
    case Code::kUnsupported:
      return kExitInput;
    case Code::kNoDevice:
    case Code::kCompileFailed:
    case Code::kOutOfMemory:
      return kExitNoDevice;
    case Code::kInterrupted:
      return kExitInterrupted;
    case Code::kIo:
    case Code::kDeviceLost:
    case Code::kBadOutput:
    case Code::kInternal:
    case Code::kBusy:
      break;
  }
  return kExitFailed;
}

ExitStatus report(const Error& error) {
  note(error.message);
  return exit_status(error.code);
}

void note(const std::string& message) {
  std::fprintf(stderr, "ovenbird: %s\n", one_line(message).c_str());
}

ExitStatus finish_output() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return kExitDone;
  note(std::string("write to standard output: ") + std::strerror(errno));
  return kExitFailed;
}

}  // namespace ovenbird
