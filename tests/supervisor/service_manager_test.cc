// What a service manager hears: a socket of our own in its place.
#include "supervisor/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include <doctest/doctest.h>

#include "base/file_descriptor.h"
#include "support/temporary_directory.h"

namespace ovenbird {
namespace {

/// Receives what is sent to a name; one that begins with "@" is abstract.
class Manager {
 public:
  explicit Manager(const std::string& name)
      : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, sizeof address.sun_path - 1);
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    REQUIRE(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), bytes) == 0);
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  ~Manager() { ::unsetenv("NOTIFY_SOCKET"); }

  /// What has been sent; empty: nothing.
  std::string heard() const {
    char text[100];
    const ssize_t bytes = ::recv(socket_.get(), text, sizeof text, MSG_DONTWAIT);
    return bytes > 0 ? std::string(text, static_cast<size_t>(bytes)) : "";
  }

 private:
  FileDescriptor socket_;
};

TEST_CASE("a line goes to the socket that is named, be it a file or not") {
  const TemporaryDirectory directory;
  const std::string abstract = "@ovenbird-test-" + std::to_string(::getpid());
  for (const std::string& name : {(directory.path() / "notify").string(), abstract}) {
    const Manager manager(name);
    tell_service_manager("READY=1");
    CHECK(manager.heard() == "READY=1");
    CHECK(manager.heard().empty());
  }
}

TEST_CASE("where nobody listens nothing happens") {
  tell_service_manager("READY=1");
  for (const std::string& name : {std::string(), std::string("/nowhere"), std::string(200, 'x')}) {
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
    tell_service_manager("READY=1");
  }
  ::unsetenv("NOTIFY_SOCKET");
}

TEST_CASE("a manager that does not read holds nobody up") {
  const TemporaryDirectory directory;
  const Manager manager((directory.path() / "notify").string());
  for (int i = 0; i < 10'000; ++i) tell_service_manager("WATCHDOG=1");
  CHECK(manager.heard() == "WATCHDOG=1");
}

TEST_CASE("the watchdog is told twice as often as it wants") {
  const auto interval = [](const char* value) {
    ::setenv("WATCHDOG_USEC", value, 1);
    const auto read = watchdog_interval();
    ::unsetenv("WATCHDOG_USEC");
    return read;
  };
  CHECK_FALSE(watchdog_interval());
  CHECK(interval("30000000") == std::chrono::milliseconds(15'000));
  CHECK(interval("2000") == std::chrono::milliseconds(1));
  for (const char* wrong : {"", "0", "1999", "-5", "5s", "99999999999999999999999", " 1"}) {
    CHECK_FALSE(interval(wrong));
  }
}

}  // namespace
}  // namespace ovenbird
