// MessageSocket and a peer that keeps no rule: packets that are no messages, more descriptors than
// may be, other control data. Nothing stays open, and the next good message is read.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <vector>

#include <doctest/doctest.h>

#include "support/open_descriptors.h"
#include "wire/message_socket.h"
#include "wire/spoiled_bytes.h"

namespace ovenbird::wire {
namespace {

constexpr size_t kRawDescriptorsMax = 253;  // SCM_MAX_FD: the kernel's own limit

struct Ends {
  FileDescriptor raw{-1};
  MessageSocket ours;
};

Ends raw_pair() {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
  return {FileDescriptor(ends[0]), MessageSocket(FileDescriptor(ends[1]))};
}

void send_raw(const FileDescriptor& socket, size_t bytes, size_t descriptors) {
  std::vector<char> content(bytes, 'x');
  const std::vector<int> passed(descriptors, socket.get());
  iovec part{content.data(), content.size()};
  msghdr packet{};
  packet.msg_iov = &part;
  packet.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kRawDescriptorsMax * sizeof(int))> control{};
  if (descriptors > 0) {
    packet.msg_control = control.data();
    packet.msg_controllen = CMSG_SPACE(descriptors * sizeof(int));
    cmsghdr* rights = CMSG_FIRSTHDR(&packet);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(descriptors * sizeof(int));
    std::memcpy(CMSG_DATA(rights), passed.data(), descriptors * sizeof(int));
  }
  REQUIRE(::sendmsg(socket.get(), &packet, MSG_NOSIGNAL) == static_cast<ssize_t>(bytes));
}

/// The packet is refused, leaves no descriptor, and what comes behind it is read.
void check_refused(size_t bytes, size_t descriptors, Code code, const std::string& part) {
  CAPTURE(bytes);
  CAPTURE(descriptors);
  const Ends ends = raw_pair();
  const ptrdiff_t before = open_descriptors();
  send_raw(ends.raw, bytes, descriptors);
  check_refusal(ends.ours.receive(), code, part);
  CHECK(open_descriptors() == before);
  send_raw(ends.raw, sizeof(MessageHeader), 0);
  const auto next = ends.ours.receive();
  REQUIRE(next);
  CHECK(*next);
}

TEST_CASE("packets shorter than a header are no messages") {
  for (size_t bytes = 1; bytes < sizeof(MessageHeader); ++bytes) {
    check_refused(bytes, 0, Code::kCorrupt, "a packet of " + std::to_string(bytes) + " bytes");
    check_refused(bytes, 2, Code::kCorrupt, "is none");
  }
}

TEST_CASE("an empty packet looks like a peer that has gone") {
  check_refused(0, 0, Code::kNotFound, "has gone");
  check_refused(0, kDescriptorsMax, Code::kNotFound, "has gone");
}

TEST_CASE("packets up to the limit are messages, longer ones are none") {
  const Ends ends = raw_pair();
  send_raw(ends.raw, kMessageBytesMax, 0);
  const auto received = ends.ours.receive();
  REQUIRE(received);
  REQUIRE(*received);
  CHECK((*received)->payload.size() == kMessageBytesMax - sizeof(MessageHeader));
  check_refused(kMessageBytesMax + 1, 0, Code::kCorrupt, "or more is none");
  check_refused(kMessageBytesMax + 1, 1, Code::kCorrupt, "or more is none");
  check_refused(100000, kDescriptorsMax, Code::kCorrupt, "or more is none");
}

TEST_CASE("descriptors up to the limit arrive; of more not one stays open") {
  for (size_t count = 0; count <= kDescriptorsMax; ++count) {
    const Ends ends = raw_pair();
    send_raw(ends.raw, 20, count);
    const auto received = ends.ours.receive();
    REQUIRE(received);
    REQUIRE(*received);
    CHECK((*received)->descriptors.size() == count);
  }
  for (const size_t count : {kDescriptorsMax + 1, kDescriptorsMax + 2, kRawDescriptorsMax}) {
    check_refused(20, count, Code::kCorrupt, "more descriptors");
    check_refused(3, count, Code::kCorrupt, "more descriptors");
  }
}

TEST_CASE("a peer's credentials are no descriptors") {
  const Ends ends = raw_pair();
  const int yes = 1;
  REQUIRE(::setsockopt(ends.ours.descriptor(), SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) == 0);
  const ptrdiff_t before = open_descriptors();
  send_raw(ends.raw, 20, 0);
  const auto received = ends.ours.receive();
  REQUIRE(received);
  REQUIRE(*received);
  CHECK((*received)->descriptors.empty());
  // Beside them there is no room for descriptors: refused, not half understood.
  send_raw(ends.raw, 20, 1);
  check_refusal(ends.ours.receive(), Code::kCorrupt, "receive a message");
  CHECK(open_descriptors() == before);
}

}  // namespace
}  // namespace ovenbird::wire
