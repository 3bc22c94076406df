// Clients that send anything: refused with a line, or let go, while another client's text stays
// right and nothing is left open.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <thread>

#include "base/limits.h"
#include "supervisor/supervisor_bench.h"
#include "support/open_descriptors.h"

namespace ovenbird {
namespace {

using wire::ClientMessage;

const Ids kPrompt = some_tokens(50, 1);

bool send_bytes(const wire::MessageSocket& socket, const wire::MessageHeader& header,
                const std::vector<std::byte>& bytes, std::span<const int> descriptors = {}) {
  return socket
      .send(header, std::span<const std::byte>(bytes), {}, descriptors,
            wire::MessageSocket::Wait::kNever)
      .has_value();
}

std::vector<std::byte> random_bytes(std::minstd_rand& random, size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() % (random() % 2 ? 256 : 3));
  return bytes;
}

/// Talks nonsense over one connection after the other; now and then with descriptors.
void talk_nonsense(Served& served, uint32_t seed, int messages, uint64_t victim) {
  std::minstd_rand random(seed);
  const FileDescriptor zero(::open("/dev/zero", O_RDWR | O_CLOEXEC));
  const FileDescriptor memory(::memfd_create("hostile", MFD_CLOEXEC));
  REQUIRE(::ftruncate(memory.get(), 1 << 20) == 0);
  const std::array<int, 3> descriptors{zero.get(), memory.get(), zero.get()};
  std::optional<RawClient> client;
  for (int i = 0; i < messages; ++i) {
    if (!client) client.emplace(served.connect());
    const uint32_t type =
        random() % 8 == 0 ? static_cast<uint32_t>(random()) : static_cast<uint32_t>(random() % 12);
    const std::array<uint64_t, 4> sessions{victim, random() % 20, random(), 0};
    const wire::MessageHeader header{.type = type,
                                     .request = static_cast<uint32_t>(random()),
                                     .session = sessions[random() % 4]};
    const auto beside = std::span(descriptors).first(random() % 8 == 0 ? 1 + random() % 3 : 0);
    const size_t sizes[] = {0, 1, 8, 16, 24, 72, 100, random() % 4000};
    const bool is_sent =
        send_bytes(client->socket(), header, random_bytes(random, sizes[random() % 8]), beside);
    // It does not read what it is told, but for a moment.
    if (random() % 4 == 0) static_cast<void>(client->socket().receive());
    if (!is_sent || random() % 200 == 0) client.reset();
  }
}

TEST_CASE("thousands of messages of nonsense change nothing for anybody else") {
  const FakeBundle bundle;
  SupervisorOptions options = fake_options(bundle);
  options.slots = 2;
  options.sessions = 16;
  options.session_tokens = 300;
  const ptrdiff_t before = open_descriptors();
  {
    Served served(options);
    RawSession session = served.client.open();
    std::thread hostile([&] { talk_nonsense(served, 3, 8000, session.number); });
    Ids text;
    for (uint32_t turn = 0; turn < 60; ++turn) {
      const Ask ask{.keep = static_cast<uint32_t>(text.size() % 97),
                    .tokens = some_tokens(10, turn),
                    .answer = 30};
      text = expected_after(text, ask);
      served.client.run(session, ask);
      CHECK(session.finish() == wire::Finish::kLength);
      CHECK(session.tokens() == text);
    }
    hostile.join();
    // Whoever talked nonsense has gone; so have its sessions.
    wire::Statistics statistics = served.client.statistics();
    while (statistics.clients > 1) statistics = served.client.statistics();
    CHECK(statistics.sessions == 1);
    CHECK(statistics.restarts == 0);
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("what cannot be is refused with a line, and the session stays as it is") {
  const FakeBundle bundle;
  Served served(fake_options(bundle));
  RawClient& client = served.client;
  RawSession session = client.open(0, 100);
  const Ask first{.tokens = kPrompt, .answer = 4};
  client.run(session, first);
  const Ids text = session.tokens();
  const auto refused = [&](const wire::AskTurn& ask, const Ids& tail, Code code,
                           const std::string& part) {
    REQUIRE(client.socket().send({.type = static_cast<uint32_t>(ClientMessage::kTurn),
                                  .request = 77,
                                  .session = session.number},
                                 ask, std::as_bytes(std::span(tail))));
    const wire::Message message = client.next();
    const Error error = client.refusal_of(message);
    CHECK(message.header.request == 77);
    CHECK(message.body<wire::Refused>()->turn == ask.number);
    CHECK(error.code == code);
    CHECK_MESSAGE(error.message.find(part) != std::string::npos, error.message);
    CHECK(session.tokens() == text);
    CHECK(session.record.header().orders.turn_asked.load() == 1);
  };
  const auto invalid = [&](const wire::AskTurn& ask, const Ids& tail, const std::string& part) {
    refused(ask, tail, Code::kInvalidArgument, part);
  };
  invalid({.number = 3}, {}, "the next is 2");
  invalid({.number = 0}, {}, "the next is 2");
  invalid({.number = 2, .keep = 55}, {}, "55 tokens");
  invalid({.number = 2, .keep = 0xffff'ffff}, {}, "tokens are to stay");
  invalid({.number = 2, .keep = 54, .tokens = 1}, {static_cast<int32_t>(kVocabulary)}, "1000");
  invalid({.number = 2, .keep = 54, .tokens = 1}, {-1}, "-1");
  invalid({.number = 2, .keep = 54, .tokens = 47}, Ids(47, 1), "101 tokens");
  invalid({.number = 2, .keep = 54, .end_ids = 33}, Ids(33, 1), "33 end ids");
  invalid({.number = 2, .keep = 54, .biases = 1025}, Ids(2050, 1), "1025 biases");
  invalid({.number = 2, .keep = 54, .answer_tokens_max = 1, .logit_rows = 1}, {}, "rows of logits");
  // Asked for already: nothing happens, and nothing is said.
  REQUIRE(client.socket().send({.type = static_cast<uint32_t>(ClientMessage::kTurn),
                                .request = 78,
                                .session = session.number},
                               wire::AskTurn{.number = 1, .keep = 0xffff'ffff}));
  const Ask again{.keep = 54, .answer = 3};
  client.run(session, again);
  CHECK(session.tokens() == expected_after(text, again));
}

TEST_CASE("a conversation without a token is not asked to go on") {
  const FakeBundle bundle;
  Served served(fake_options(bundle));
  RawSession session = served.client.open();
  const wire::AskTurn ask{.number = 1, .answer_tokens_max = 1};
  const wire::Message message = served.client.ask(ClientMessage::kTurn, session.number, ask);
  const Error error = served.client.refusal_of(message);
  CHECK(error.code == Code::kInvalidArgument);
  CHECK_MESSAGE(error.message.find("empty") != std::string::npos, error.message);
  const Ask with_tokens{.tokens = kPrompt, .answer = 2};
  served.client.run(session, with_tokens);
  CHECK(session.tokens() == expected_after({}, with_tokens));
  CHECK(served.client.statistics().restarts == 0);
}

TEST_CASE("counts that overflow, tails that are too short and bodies that are end a connection") {
  const FakeBundle bundle;
  Served served(fake_options(bundle));
  const auto ends = [&](const auto& act) {
    RawClient client = served.connect();
    RawSession session = client.open();
    act(client, session);
    while (true) {
      const Result<std::optional<wire::Message>> message = client.socket().receive_within(-1);
      if (!message) break;
    }
    CHECK(session.record.header().orders.is_over.load() == 1);
  };
  const auto turn = [&](const wire::AskTurn& ask) {
    ends([&](RawClient& client, RawSession& session) {
      REQUIRE(client.socket().send(
          {.type = static_cast<uint32_t>(ClientMessage::kTurn), .session = session.number}, ask));
    });
  };
  for (const uint32_t count : {1u, 0x4000'0000u, 0x8000'0000u, 0xffff'ffffu}) {
    turn({.number = 1, .tokens = count});
    turn({.number = 1, .end_ids = count});
    turn({.number = 1, .biases = count});
  }
  const auto type = [](ClientMessage message) { return static_cast<uint32_t>(message); };
  for (const uint32_t unknown : {0u, 12u, 100u, 101u, 0xffff'ffffu}) {
    ends([&](RawClient& client, RawSession&) {
      REQUIRE(client.socket().send({.type = unknown}, wire::Hello{}));
    });
  }
  for (const ClientMessage asked :
       {ClientMessage::kHello, ClientMessage::kOpen, ClientMessage::kClaim, ClientMessage::kFeed,
        ClientMessage::kTurn, ClientMessage::kCancel, ClientMessage::kFork, ClientMessage::kLoad}) {
    ends([&](RawClient& client, RawSession& session) {
      REQUIRE(send_bytes(client.socket(), {.type = type(asked), .session = session.number},
                         std::vector<std::byte>(3)));
    });
  }
  // An empty packet, and one that is no message.
  for (const size_t size : {size_t{0}, size_t{5}}) {
    ends([&](RawClient& client, RawSession&) {
      const std::array<char, 5> bytes{};
      REQUIRE(::send(client.socket().descriptor(), bytes.data(), size, MSG_NOSIGNAL) >= 0);
    });
  }
  CHECK(served.client.statistics().sessions == 0);
}

TEST_CASE("another client's session is as if it were not there") {
  const FakeBundle bundle;
  Served served(fake_options(bundle));
  RawSession session = served.client.open();
  const Ask ask{.tokens = kPrompt};
  served.client.run(session, ask);
  RawClient other = served.connect();
  const auto code_of = [&](ClientMessage type, const auto& body) {
    return other.refusal_of(other.ask(type, session.number, body)).code;
  };
  CHECK(code_of(ClientMessage::kFeed, wire::Feed{}) == Code::kNotFound);
  CHECK(code_of(ClientMessage::kTurn, wire::AskTurn{.number = 2}) == Code::kNotFound);
  CHECK(code_of(ClientMessage::kCancel, wire::Cancel{.turn = 2}) == Code::kNotFound);
  CHECK(code_of(ClientMessage::kClose, wire::Cancel{}) == Code::kNotFound);
  CHECK(code_of(ClientMessage::kFork, wire::Open{}) == Code::kNotFound);
  CHECK(code_of(ClientMessage::kSave, wire::Cancel{}) == Code::kNotFound);
  CHECK(code_of(ClientMessage::kClaim, wire::Claim{.key = session.key ^ 1}) == Code::kNotFound);
  served.client.run(session, {.keep = 70, .answer = 3});
  CHECK(session.finish() == wire::Finish::kLength);
  CHECK(session.tokens().size() == 73);
}

TEST_CASE("while a turn is under way its session cannot be changed") {
  const FakeBundle bundle;
  const Orders orders("hang at step=1");
  Served served(fake_options(bundle));
  RawSession session = served.client.open();
  served.client.begin(session, {.tokens = kPrompt});
  const auto code_of = [&](ClientMessage type, const auto& body) {
    return served.client.refusal_of(served.client.ask(type, session.number, body)).code;
  };
  CHECK(code_of(ClientMessage::kFeed, wire::Feed{}) == Code::kInvalidArgument);
  CHECK(code_of(ClientMessage::kTurn, wire::AskTurn{.number = 2}) == Code::kInvalidArgument);
  CHECK(code_of(ClientMessage::kFork, wire::Open{}) == Code::kInvalidArgument);
  CHECK(code_of(ClientMessage::kSave, wire::Cancel{}) == Code::kInvalidArgument);
  CHECK(session.tokens() == kPrompt);
}

TEST_CASE("of sessions and of clients there are no more than there may be") {
  const FakeBundle bundle;
  SupervisorOptions options = fake_options(bundle);
  options.sessions = 4;
  Served served(options);
  std::vector<RawSession> sessions;
  for (int i = 0; i < 4; ++i) sessions.push_back(served.client.open());
  const auto refusal_of = [&](ClientMessage type, uint64_t session, const wire::Open& how) {
    return served.client.refusal_of(served.client.ask(type, session, how));
  };
  CHECK(refusal_of(ClientMessage::kOpen, 0, {}).code == Code::kBusy);
  CHECK(refusal_of(ClientMessage::kFork, sessions[0].number, {}).code == Code::kBusy);
  served.client.close(sessions[3]);
  CHECK(refusal_of(ClientMessage::kOpen, 0, {.tokens_max = limits::kSessionTokensMax + 1}).code ==
        Code::kInvalidArgument);
  sessions.push_back(served.client.open(0, limits::kSessionTokensMax));
  CHECK(refusal_of(ClientMessage::kOpen, 0, {}).code == Code::kBusy);
}

TEST_CASE("one client has no more sessions than it may, however it comes by them") {
  const FakeBundle bundle;
  SupervisorOptions options = fake_options(bundle);
  options.sessions = limits::kSessionsMax;
  options.session_tokens = 16;
  rlimit files{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &files) == 0);
  files.rlim_cur = files.rlim_max;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &files) == 0);
  if (files.rlim_cur < 2 * limits::kClientSessionsMax) return;
  Served served(options);
  RawSession first = served.client.open();
  for (size_t i = 1; i < limits::kClientSessionsMax; ++i) static_cast<void>(served.client.open());
  const auto code_of = [&](ClientMessage type) {
    return served.client.refusal_of(served.client.ask(type, first.number, wire::Open{})).code;
  };
  CHECK(code_of(ClientMessage::kOpen) == Code::kBusy);
  CHECK(code_of(ClientMessage::kFork) == Code::kBusy);
  RawClient other = served.connect();
  RawSession others = other.open();
  CHECK(served.client
            .refusal_of(served.client.ask(ClientMessage::kClaim, others.number,
                                          wire::Claim{.key = others.key}))
            .code == Code::kBusy);
  first = served.client.opened(
      served.client.ask(ClientMessage::kClaim, first.number, wire::Claim{.key = first.key}));
}

TEST_CASE("a client that does not read is let go, and others are served") {
  const FakeBundle bundle;
  Served served(fake_options(bundle));
  RawClient deaf = served.connect();
  RawSession lost = deaf.open();
  while (lost.record.header().orders.is_over.load() == 0) {
    static_cast<void>(
        deaf.socket().send({.type = static_cast<uint32_t>(ClientMessage::kStatistics)}, {}, {}, {},
                           wire::MessageSocket::Wait::kNever));
  }
  RawSession session = served.client.open();
  const Ask ask{.tokens = kPrompt};
  served.client.run(session, ask);
  CHECK(session.tokens() == expected_after({}, ask));
}

TEST_CASE("a program of another version is told so") {
  const FakeBundle bundle;
  Served served(fake_options(bundle));
  const wire::Message refusal =
      served.client.ask(ClientMessage::kHello, 0, wire::Hello{.version = wire::kWireVersion + 1});
  CHECK(served.client.refusal_of(refusal).code == Code::kUnsupported);
  const wire::Message welcome = served.client.ask(ClientMessage::kHello, 0, wire::Hello{});
  REQUIRE(welcome.header.type == static_cast<uint32_t>(ClientMessage::kWelcome));
  const auto body = welcome.body<wire::Welcome>();
  CHECK(body->vocabulary == kVocabulary);
  CHECK(body->context == kRows);
  CHECK(std::string(body->plan.data()) == "cached");
  const auto path = welcome.tail<wire::Welcome>();
  CHECK(std::string(reinterpret_cast<const char*>(path.data()), path.size()) == bundle.path());
}

}  // namespace
}  // namespace ovenbird
