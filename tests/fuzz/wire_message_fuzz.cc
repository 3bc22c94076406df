// Packets of any length with any descriptors and control data, through a real pair of sockets: each
// is the message that was sent or is refused, and no descriptor stays open.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "shared_bytes.h"
#include "wire/client_protocol.h"
#include "wire/message_socket.h"
#include "wire/worker_protocol.h"

namespace ovenbird::wire {
namespace {

constexpr size_t kRightsMax = 253;  // of the kernel, beside one packet

struct Packet {
  std::vector<std::byte> content;
  size_t rights = 0;
  bool has_credentials = false;
};

/// The smallest number that is free: the same as before if nothing has leaked.
int free_number(int any) {
  const int number = ::fcntl(any, F_DUPFD_CLOEXEC, 0);
  ::close(number);
  return number;
}

Packet next_packet(InputBytes& input) {
  Packet packet;
  const auto kind = input.next<uint8_t>();
  const auto length = input.next<uint8_t>();
  const auto written = input.take(length);
  packet.content.resize(kind & 1 ? size_t{length} << 10 : written.size());
  const size_t copied = std::min(written.size(), packet.content.size());
  if (copied > 0) std::memcpy(packet.content.data(), written.data(), copied);
  packet.rights = kind & 2 ? kind >> 4 : 0;
  if (kind & 4) packet.rights = kRightsMax - packet.rights;
  packet.has_credentials = (kind & 8) != 0;
  return packet;
}

bool send_raw(int socket, const Packet& packet) {
  constexpr size_t kControlBytes = CMSG_SPACE(kRightsMax * sizeof(int)) + CMSG_SPACE(sizeof(ucred));
  alignas(cmsghdr) std::array<char, kControlBytes> control{};
  iovec part{const_cast<std::byte*>(packet.content.data()), packet.content.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  const auto add = [&](int type, const void* data, size_t bytes) {
    if (bytes == 0) return;
    auto* header = reinterpret_cast<cmsghdr*>(control.data() + message.msg_controllen);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(bytes);
    std::memcpy(CMSG_DATA(header), data, bytes);
    message.msg_control = control.data();
    message.msg_controllen += CMSG_SPACE(bytes);
  };
  const ucred credentials{::getpid(), ::getuid(), ::getgid()};
  const std::vector<int> rights(packet.rights, socket);
  add(SCM_CREDENTIALS, &credentials, packet.has_credentials ? sizeof credentials : 0);
  add(SCM_RIGHTS, rights.data(), rights.size() * sizeof(int));
  return ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

/// What any receiver may ask of a message: bodies that fit, and what is behind them.
void use(const Message& message) {
  const auto ask = [&]<typename Body>(const Body&) {
    const Result<Body> body = message.body<Body>();
    OVENBIRD_CHECK(body.has_value() == (message.payload.size() >= sizeof(Body)));
    const size_t rest = body ? message.payload.size() - sizeof(Body) : 0;
    OVENBIRD_CHECK(message.tail<Body>().size() == rest);
  };
  ask(Hello());
  ask(Welcome());
  ask(AskTurn());
  ask(Opened());
  ask(Statistics());
  ask(Attach());
  ask(Ready());
}

void check_received(const Packet& packet, const Result<std::optional<Message>>& received) {
  if (packet.content.empty()) {
    OVENBIRD_CHECK(!received && received.error().code != Code::kIo);
    return;
  }
  const bool is_message = packet.content.size() >= sizeof(MessageHeader) &&
                          packet.content.size() <= kMessageBytesMax &&
                          packet.rights <= kDescriptorsMax;
  OVENBIRD_CHECK(received.has_value() == is_message);
  if (!is_message) {
    OVENBIRD_CHECK(received.error().code == Code::kCorrupt);
    return;
  }
  const Message& message = **received;
  OVENBIRD_CHECK(message.descriptors.size() == packet.rights);
  OVENBIRD_CHECK(std::memcmp(&message.header, packet.content.data(), sizeof message.header) == 0);
  const auto rest = std::span(packet.content).subspan(sizeof message.header);
  OVENBIRD_CHECK(
      std::equal(rest.begin(), rest.end(), message.payload.begin(), message.payload.end()));
  use(message);
}

}  // namespace
}  // namespace ovenbird::wire

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ovenbird;
  using namespace ovenbird::wire;
  const int before = free_number(STDIN_FILENO);
  {
    int ends[2];
    OVENBIRD_CHECK(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    const FileDescriptor raw(ends[0]);
    const MessageSocket ours{FileDescriptor(ends[1])};
    InputBytes input(data, size);
    while (!input.is_over()) {
      const Packet packet = next_packet(input);
      if (send_raw(raw.get(), packet)) check_received(packet, ours.receive());
    }
    const Result<std::optional<Message>> nothing = ours.receive();
    OVENBIRD_CHECK(nothing && !*nothing);
  }
  OVENBIRD_CHECK(free_number(STDIN_FILENO) == before);
  return 0;
}
