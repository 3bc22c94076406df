// sendmsg and recvmsg.
#include "wire/message_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/message_text.h"

namespace ovenbird::wire {
namespace {

constexpr int kWaitingMax = 64;  // connections that may wait to be accepted

std::string reason(int error) { return std::strerror(error); }

bool has_gone(int error) {
  return error == EPIPE || error == ECONNRESET || error == ENOTCONN || error == ECONNREFUSED;
}

/// Room for the descriptors beside a message.
struct Control {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kDescriptorsMax * sizeof(int))> bytes{};
};

/// Takes over what came beside a packet, all of it, so that none stays open unseen.
std::vector<FileDescriptor> descriptors_of(msghdr& packet) {
  std::vector<FileDescriptor> taken;
  for (cmsghdr* part = CMSG_FIRSTHDR(&packet); part; part = CMSG_NXTHDR(&packet, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      taken.emplace_back(descriptor);
    }
  }
  return taken;
}

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // A zero in front would be a name that every user may connect to.
  if (path.empty() || path.size() >= sizeof address.sun_path ||
      path.find('\0') != std::string::npos) {
    return fail(Code::kInvalidArgument, "socket " + in_quotes(path) + ": a path may have 1 to " +
                                            std::to_string(sizeof address.sun_path - 1) +
                                            " bytes, none of them 0");
  }
  path.copy(address.sun_path, path.size());
  return address;
}

/// It does not wait, until it is told to.
Result<FileDescriptor> new_socket() {
  FileDescriptor made(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!made) return fail(Code::kIo, "make a socket: " + reason(errno));
  return made;
}

const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

}  // namespace

Failure Message::too_short(size_t bytes) const {
  return fail(Code::kCorrupt, "message of type " + std::to_string(header.type) + ": it has " +
                                  std::to_string(payload.size()) + " bytes and needs " +
                                  std::to_string(bytes));
}

Status MessageSocket::send(const MessageHeader& header, std::span<const std::byte> body,
                           std::span<const std::byte> tail, std::span<const int> descriptors,
                           Wait wait) const {
  if (sizeof header + body.size() + tail.size() > kMessageBytesMax ||
      descriptors.size() > kDescriptorsMax) {
    return fail(Code::kInvalidArgument, "send a message: it is too long");
  }
  std::array<iovec, 3> parts{
      iovec{const_cast<MessageHeader*>(&header), sizeof header},
      iovec{const_cast<std::byte*>(body.data()), body.size()},
      iovec{const_cast<std::byte*>(tail.data()), tail.size()},
  };
  msghdr packet{};
  packet.msg_iov = parts.data();
  packet.msg_iovlen = parts.size();
  Control control;
  if (!descriptors.empty()) {
    packet.msg_control = control.bytes.data();
    packet.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* part = CMSG_FIRSTHDR(&packet);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(part), descriptors.data(), descriptors.size_bytes());
  }
  const int flags = MSG_NOSIGNAL | (wait == Wait::kNever ? MSG_DONTWAIT : 0);
  while (::sendmsg(descriptor_.get(), &packet, flags) < 0) {
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ETOOMANYREFS) {
      return fail(Code::kBusy, "send a message: the other side does not read");
    }
    return fail(has_gone(errno) ? Code::kNotFound : Code::kIo, "send a message: " + reason(errno));
  }
  return ok();
}

Result<std::optional<Message>> MessageSocket::receive() const {
  thread_local std::vector<std::byte> buffer(kMessageBytesMax);
  iovec part{buffer.data(), buffer.size()};
  Control control;
  msghdr packet{};
  packet.msg_iov = &part;
  packet.msg_iovlen = 1;
  packet.msg_control = control.bytes.data();
  // Without the padding, which would hold one descriptor more.
  packet.msg_controllen = CMSG_LEN(kDescriptorsMax * sizeof(int));
  ssize_t bytes = 0;
  do {
    bytes = ::recvmsg(descriptor_.get(), &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (bytes < 0 && errno == EINTR);
  if (bytes < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return std::optional<Message>();
    return fail(has_gone(errno) ? Code::kNotFound : Code::kIo,
                "receive a message: " + reason(errno));
  }
  Message message;
  message.descriptors = descriptors_of(packet);
  if (bytes == 0) return fail(Code::kNotFound, "receive a message: the other side has gone");
  const auto size = static_cast<size_t>(bytes);
  if ((packet.msg_flags & MSG_CTRUNC) != 0) {
    return fail(Code::kCorrupt, "receive a message: more descriptors came beside it than " +
                                    std::to_string(kDescriptorsMax) +
                                    ", or than this process may open: see `ulimit -n`");
  }
  if (size < sizeof(MessageHeader) || (packet.msg_flags & MSG_TRUNC) != 0) {
    return fail(Code::kCorrupt,
                "receive a message: a packet of " + std::to_string(size) +
                    ((packet.msg_flags & MSG_TRUNC) != 0 ? " bytes or more" : " bytes") +
                    " is none");
  }
  std::memcpy(&message.header, buffer.data(), sizeof message.header);
  message.payload.assign(buffer.begin() + sizeof(MessageHeader), buffer.begin() + bytes);
  return std::optional(std::move(message));
}

Result<std::optional<Message>> MessageSocket::receive_within(int timeout_ms) const {
  pollfd wanted{.fd = descriptor_.get(), .events = POLLIN, .revents = 0};
  const int ready = ::poll(&wanted, 1, timeout_ms);
  if (ready < 0 && errno != EINTR) {
    return fail(Code::kIo, "wait for a message: " + reason(errno));
  }
  if (ready <= 0) return std::optional<Message>();
  return receive();
}

Result<std::array<MessageSocket, 2>> socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail(Code::kIo, "make a pair of sockets: " + reason(errno));
  }
  return std::array{MessageSocket(FileDescriptor(ends[0])), MessageSocket(FileDescriptor(ends[1]))};
}

Result<FileDescriptor> listen_at(const std::string& path) {
  const Result<sockaddr_un> address = address_of(path);
  if (!address) return Failure{address.error()};
  const Result<MessageSocket> other = connect_to(path);
  if (other || other.error().code == Code::kBusy) {
    return fail(Code::kBusy, "listen at " + path + ": another supervisor does");
  }
  // A socket of another kind, or another user's, perhaps in use.
  if (other.error().code != Code::kNotFound) return fail_in("listen at " + path, other.error());
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode)) {
      return fail(Code::kIo, "listen at " + path + ": something that is no socket stands there");
    }
    ::unlink(path.c_str());
  }
  Result<FileDescriptor> made = new_socket();
  if (!made) return made;
  // On Linux the file takes its mode from the socket, so that at no moment it is anybody else's.
  if (::fchmod(made->get(), 0600) != 0 ||
      ::bind(made->get(), generic(*address), sizeof *address) != 0) {
    return fail(errno == EADDRINUSE ? Code::kBusy : Code::kIo,
                "listen at " + path + ": " + reason(errno));
  }
  if (::listen(made->get(), kWaitingMax) != 0) {
    const int error = errno;
    ::unlink(path.c_str());
    return fail(Code::kIo, "listen at " + path + ": " + reason(error));
  }
  return made;
}

Result<std::optional<MessageSocket>> accept_from(const FileDescriptor& listener) {
  FileDescriptor accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (accepted) return std::optional(MessageSocket(std::move(accepted)));
  if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) {
    return std::optional<MessageSocket>();
  }
  return fail(Code::kIo, "accept a client: " + reason(errno));
}

Result<MessageSocket> connect_to(const std::string& path) {
  const Result<sockaddr_un> address = address_of(path);
  if (!address) return Failure{address.error()};
  Result<FileDescriptor> made = new_socket();
  if (!made) return Failure{made.error()};
  while (::connect(made->get(), generic(*address), sizeof *address) != 0) {
    if (errno == EINTR) continue;
    if (errno == EAGAIN) {
      return fail(Code::kBusy, "connect to " + path + ": nobody is let in; try again later");
    }
    const bool nobody = errno == ENOENT || errno == ECONNREFUSED;
    return fail(nobody ? Code::kNotFound : Code::kIo, "connect to " + path + ": " + reason(errno));
  }
  // So that send() can wait for room.
  if (::fcntl(made->get(), F_SETFL, 0) != 0) {
    return fail(Code::kIo, "connect to " + path + ": " + reason(errno));
  }
  return MessageSocket(std::move(*made));
}

Result<Peer> peer_of(const MessageSocket& socket) {
  ucred credentials{};
  socklen_t bytes = sizeof credentials;
  if (::getsockopt(socket.descriptor(), SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) != 0) {
    return fail(Code::kIo, "ask who a client is: " + reason(errno));
  }
  return Peer{.pid = credentials.pid, .user = credentials.uid};
}

}  // namespace ovenbird::wire
