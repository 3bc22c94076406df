// One datagram.
#include "supervisor/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <string_view>

#include "base/file_descriptor.h"

namespace ovenbird {

void tell_service_manager(const std::string& line) {
  const char* named = std::getenv("NOTIFY_SOCKET");
  if (!named || !*named) return;
  const std::string_view path(named);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return;
  path.copy(address.sun_path, path.size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // an abstract name
  const FileDescriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return;
  const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  static_cast<void>(::sendto(socket.get(), line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                             reinterpret_cast<const sockaddr*>(&address), bytes));
}

std::optional<std::chrono::milliseconds> watchdog_interval() {
  const char* named = std::getenv("WATCHDOG_USEC");
  if (!named) return std::nullopt;
  const std::string_view text(named);
  uint64_t microseconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), microseconds);
  if (error != std::errc() || end != text.data() + text.size() || microseconds < 2000) {
    return std::nullopt;
  }
  // Twice as often as would be needed.
  return std::chrono::milliseconds(microseconds / 2000);
}

}  // namespace ovenbird
