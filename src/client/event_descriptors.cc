// epoll, eventfd, timerfd.
#include "client/event_descriptors.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

namespace ovenbird::client {
namespace {

using std::chrono::nanoseconds;

Result<FileDescriptor> made(int descriptor) {
  if (descriptor >= 0) return FileDescriptor(descriptor);
  return fail(Code::kIo, std::string("make a descriptor for events: ") + std::strerror(errno));
}

}  // namespace

Result<FileDescriptor> make_event_set() { return made(::epoll_create1(EPOLL_CLOEXEC)); }

Status add_to_event_set(const FileDescriptor& set, int descriptor) {
  epoll_event wanted{};
  wanted.events = EPOLLIN;
  if (::epoll_ctl(set.get(), EPOLL_CTL_ADD, descriptor, &wanted) == 0) return ok();
  return fail(Code::kIo, std::string("watch a descriptor: ") + std::strerror(errno));
}

void remove_from_event_set(const FileDescriptor& set, int descriptor) {
  ::epoll_ctl(set.get(), EPOLL_CTL_DEL, descriptor, nullptr);
}

Result<FileDescriptor> make_bell() { return made(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

void ring(const FileDescriptor& bell) {
  const uint64_t one = 1;
  const ssize_t written = ::write(bell.get(), &one, sizeof one);
  static_cast<void>(written);  // full: it rings already
}

Result<FileDescriptor> make_alarm() {
  return made(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
}

void set_alarm(const FileDescriptor& alarm, std::chrono::steady_clock::time_point when) {
  const nanoseconds since_boot = when.time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_boot);
  itimerspec time{};
  time.it_value.tv_sec = static_cast<time_t>(seconds.count());
  time.it_value.tv_nsec = static_cast<long>((since_boot - seconds).count());
  ::timerfd_settime(alarm.get(), TFD_TIMER_ABSTIME, &time, nullptr);
}

bool drain(const FileDescriptor& bell_or_alarm) {
  uint64_t count = 0;
  return ::read(bell_or_alarm.get(), &count, sizeof count) == ssize_t{sizeof count};
}

Drained drain_socket(const FileDescriptor& socket) {
  std::array<std::byte, 64> packet;
  for (;;) {
    const ssize_t got = ::recv(socket.get(), packet.data(), packet.size(), MSG_DONTWAIT);
    if (got > 0 || (got < 0 && errno == EINTR)) continue;
    const bool is_empty = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    return is_empty ? Drained::kOpen : Drained::kPeerGone;
  }
}

void sleep_on(const FileDescriptor& descriptor, std::chrono::steady_clock::time_point until) {
  const nanoseconds left =
      std::max(nanoseconds(0), nanoseconds(until - std::chrono::steady_clock::now()));
  const auto whole = std::chrono::ceil<std::chrono::milliseconds>(left);
  pollfd wanted{.fd = descriptor.get(), .events = POLLIN, .revents = 0};
  ::poll(&wanted, 1, static_cast<int>(std::min<int64_t>(whole.count(), 60'000)));
}

}  // namespace ovenbird::client
