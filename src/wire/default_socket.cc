// Two variables.
#include "wire/default_socket.h"

#include <cstdlib>

namespace ovenbird::wire {

Result<std::string> default_socket() {
  if (const char* named = std::getenv("OVENBIRD_SOCKET"); named && *named) {
    return std::string(named);
  }
  if (const char* directory = std::getenv("XDG_RUNTIME_DIR"); directory && *directory) {
    return std::string(directory) + "/ovenbird.sock";
  }
  return fail(Code::kInvalidArgument,
              "socket: name one with --socket PATH or in OVENBIRD_SOCKET; $XDG_RUNTIME_DIR, where "
              "it would be, is not set");
}

}  // namespace ovenbird::wire
