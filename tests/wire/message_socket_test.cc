// MessageSocket: what is sent arrives, each error of either side, and no descriptor stays open.
#include "wire/message_socket.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <numeric>
#include <string>
#include <thread>

#include <doctest/doctest.h>

#include "support/forked_process.h"
#include "support/open_descriptors.h"
#include "wire/spoiled_bytes.h"

namespace ovenbird::wire {
namespace {

struct Body {
  uint64_t number = 0;
  uint32_t other = 0;
  uint32_t padding = 0;
};

constexpr MessageHeader kHeader{.type = 5, .request = 6, .session = 7};
constexpr size_t kBodyBytesMax = kMessageBytesMax - sizeof(MessageHeader);

/// The message that is there, or the test fails.
Message next(const MessageSocket& socket) {
  auto received = socket.receive();
  REQUIRE(received);
  REQUIRE(*received);
  return std::move(**received);
}

FileDescriptor any_file() { return FileDescriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

bool is_same_file(int a, int b) {
  struct stat one {};
  struct stat other {};
  return ::fstat(a, &one) == 0 && ::fstat(b, &other) == 0 && one.st_ino == other.st_ino &&
         one.st_dev == other.st_dev;
}

TEST_CASE("header, body, tail and descriptors arrive as they were sent, in both directions") {
  const auto ends = *socket_pair();
  const FileDescriptor file = any_file();
  const std::array<int, 2> passed{file.get(), ends[0].descriptor()};
  const std::string tail = "and a tail";
  for (const size_t from : {0, 1}) {
    REQUIRE(ends[from].send(kHeader, Body{.number = 99, .other = 3}, std::as_bytes(std::span(tail)),
                            passed));
    const Message message = next(ends[1 - from]);
    CHECK(message.header.type == 5);
    CHECK(message.header.request == 6);
    CHECK(message.header.session == 7);
    REQUIRE(message.body<Body>());
    CHECK(message.body<Body>()->number == 99);
    CHECK(message.body<Body>()->other == 3);
    const auto rest = message.tail<Body>();
    CHECK(std::string(reinterpret_cast<const char*>(rest.data()), rest.size()) == tail);
    REQUIRE(message.descriptors.size() == 2);
    CHECK(is_same_file(message.descriptors[0].get(), file.get()));
    CHECK(is_same_file(message.descriptors[1].get(), ends[0].descriptor()));
    CHECK((::fcntl(message.descriptors[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
  }
}

TEST_CASE("a message may be a header alone") {
  const auto ends = *socket_pair();
  REQUIRE(ends[0].send(kHeader, {}, {}, {}, MessageSocket::Wait::kNever));
  const Message message = next(ends[1]);
  CHECK(message.payload.empty());
  CHECK(message.tail<Body>().empty());
  check_refusal(message.body<Body>(), Code::kCorrupt, "type 5: it has 0 bytes and needs 16");
}

TEST_CASE("a body that is one byte too short is refused, one that fits is not") {
  const auto ends = *socket_pair();
  const std::array<std::byte, sizeof(Body)> bytes{};
  for (const size_t size : {sizeof(Body) - 1, sizeof(Body)}) {
    REQUIRE(
        ends[0].send(kHeader, std::span(bytes).first(size), {}, {}, MessageSocket::Wait::kNever));
    CHECK(next(ends[1]).body<Body>().has_value() == (size == sizeof(Body)));
  }
}

TEST_CASE("the longest message arrives whole, a longer one is not sent") {
  const auto ends = *socket_pair();
  std::vector<std::byte> bytes(kBodyBytesMax + 1);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 7 >> 3);
  const auto longest = std::span(bytes).first(kBodyBytesMax);
  const auto kNever = MessageSocket::Wait::kNever;
  REQUIRE(ends[0].send(kHeader, longest.first(100), longest.subspan(100), {}, kNever));
  const Message message = next(ends[1]);
  CHECK(message.payload == std::vector(longest.begin(), longest.end()));

  check_refusal(ends[0].send(kHeader, bytes, {}, {}, kNever), Code::kInvalidArgument, "too long");
  check_refusal(ends[0].send(kHeader, longest, std::span(bytes).first(1), {}, kNever),
                Code::kInvalidArgument, "too long");
  CHECK(!*ends[1].receive());
}

TEST_CASE("as many descriptors as may be are sent, one more is not") {
  const auto ends = *socket_pair();
  const FileDescriptor file = any_file();
  const std::vector<int> many(kDescriptorsMax + 1, file.get());
  REQUIRE(ends[0].send(kHeader, Body{}, {}, std::span(many).first(kDescriptorsMax)));
  CHECK(next(ends[1]).descriptors.size() == kDescriptorsMax);
  check_refusal(ends[0].send(kHeader, Body{}, {}, many), Code::kInvalidArgument, "too long");
}

TEST_CASE("a descriptor that is none is an error of the sender") {
  const auto ends = *socket_pair();
  const std::array<int, 1> none{-1};
  check_refusal(ends[0].send(kHeader, Body{}, {}, none), Code::kIo, "send a message");
  CHECK(!*ends[1].receive());
}

TEST_CASE("descriptors are closed with their message, read or not") {
  const ptrdiff_t before = open_descriptors();
  {
    const auto ends = *socket_pair();
    const FileDescriptor file = any_file();
    const std::array<int, 3> passed{file.get(), file.get(), file.get()};
    for (int i = 0; i < 4; ++i) REQUIRE(ends[0].send(kHeader, Body{}, {}, passed));
    { const Message message = next(ends[1]); }
    CHECK(open_descriptors() == before + 3);
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("where nothing is there is nothing, at once or when the time is over") {
  const auto ends = *socket_pair();
  for (const auto& received :
       {ends[0].receive(), ends[0].receive_within(0), ends[0].receive_within(1)}) {
    REQUIRE(received);
    CHECK(!*received);
  }
  REQUIRE(ends[1].send(kHeader, Body{}));
  const auto received = ends[0].receive_within(-1);
  REQUIRE(received);
  CHECK(*received);
}

TEST_CASE("a full peer is busy, nothing is half sent, and there is room when it has read") {
  const auto ends = *socket_pair();
  const std::vector<std::byte> tail(10000);
  uint64_t sent = 0;
  Status last = ok();
  while ((last = ends[0].send(kHeader, Body{.number = sent}, tail))) ++sent;
  check_refusal(last, Code::kBusy, "does not read");
  REQUIRE(sent > 0);

  for (uint64_t i = 0; i < sent; ++i) {
    const Message message = next(ends[1]);
    CHECK(message.body<Body>()->number == i);
    CHECK(message.tail<Body>().size() == tail.size());
  }
  CHECK(!*ends[1].receive());
  CHECK(ends[0].send(kHeader, Body{}, tail));
}

TEST_CASE("who waits for room goes on when the peer reads") {
  const auto ends = *socket_pair();
  constexpr uint64_t kMessages = 200;
  const std::vector<std::byte> tail(10000);
  std::thread reader([&] {
    for (uint64_t i = 0; i < kMessages; ++i) {
      auto received = ends[1].receive_within(-1);
      if (!received || !*received || (*received)->body<Body>()->number != i) return;
    }
  });
  for (uint64_t i = 0; i < kMessages; ++i) {
    CHECK(ends[0].send(kHeader, Body{.number = i}, tail, {}, MessageSocket::Wait::kForRoom));
  }
  reader.join();
  CHECK(!*ends[1].receive());
}

TEST_CASE("what a peer sent before it went is read, then it has gone; sending raises no signal") {
  auto ends = *socket_pair();
  REQUIRE(ends[0].send(kHeader, Body{.number = 4}));
  ends[0] = MessageSocket();
  CHECK(next(ends[1]).body<Body>()->number == 4);
  check_refusal(ends[1].receive(), Code::kNotFound, "has gone");
  check_refusal(ends[1].receive_within(-1), Code::kNotFound, "has gone");
  check_refusal(ends[1].send(kHeader, Body{}), Code::kNotFound, "send a message");
  check_refusal(ends[1].send(kHeader, Body{}, {}, {}, MessageSocket::Wait::kForRoom),
                Code::kNotFound, "send a message");
}

TEST_CASE("a peer that goes with messages unread has gone") {
  auto ends = *socket_pair();
  REQUIRE(ends[1].send(kHeader, Body{}));
  ends[0] = MessageSocket();
  check_refusal(ends[1].receive(), Code::kNotFound, "receive a message");
}

TEST_CASE("no socket is an error, not a crash") {
  const MessageSocket none;
  CHECK(!none);
  check_refusal(none.send(kHeader, Body{}), Code::kIo, "send a message");
  check_refusal(none.receive(), Code::kIo, "receive a message");
  check_refusal(peer_of(none), Code::kIo, "who a client is");
}

TEST_CASE("with no descriptor left everything that needs one is an error, and a message is lost") {
  ForkedProcess poor([] {
    const auto ends = *socket_pair();
    const FileDescriptor file = any_file();
    const std::array<int, 1> passed{file.get()};
    if (!ends[0].send(kHeader, Body{}, {}, passed)) return false;
    const rlimit limit{.rlim_cur = 0, .rlim_max = 0};
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
    const auto received = ends[1].receive();
    return !received && received.error().code == Code::kCorrupt &&
           received.error().message.find("ulimit -n") != std::string::npos && !socket_pair() &&
           socket_pair().error().code == Code::kIo && !connect_to("/nowhere");
  });
  CHECK(poor.ends_well());
}

TEST_CASE("the peer of a pair is this process") {
  const auto ends = *socket_pair();
  const auto peer = peer_of(ends[0]);
  REQUIRE(peer);
  CHECK(peer->pid == ::getpid());
  CHECK(peer->user == ::geteuid());
}

}  // namespace
}  // namespace ovenbird::wire
