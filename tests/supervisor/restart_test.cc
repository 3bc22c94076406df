// Supervisors that are killed at many moments, and started again: sessions are claimed, and their
// text is what it would have been.
#include <doctest/doctest.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <random>

#include "supervisor/supervisor_process.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

const Ids kPrompt = some_tokens(50, 1);

SupervisorOptions daemon_options(const FakeBundle& bundle) {
  SupervisorOptions options = fake_options(bundle);
  options.socket = bundle.file("socket");
  return options;
}

RawSession claim(RawClient& client, const RawSession& session) {
  return client.opened(
      client.ask(wire::ClientMessage::kClaim, session.number, wire::Claim{.key = session.key}));
}

TEST_CASE("a supervisor killed at any token is followed by one that goes on with the turn") {
  const FakeBundle bundle;
  const SupervisorOptions options = daemon_options(bundle);
  const Orders orders("slow=300");
  const Ask ask{.tokens = kPrompt, .answer = 30};
  const Ids expected = expected_after({}, ask);
  for (size_t tokens = 0; tokens < 40; ++tokens) {
    CAPTURE(tokens);
    SupervisorProcess first(options);
    RawClient client = first.connect();
    RawSession session = client.open();
    client.begin(session, ask);
    wait_for_tokens(session, tokens == 0 ? 1 : kPrompt.size() + tokens - 1);
    first.kill();
    SupervisorProcess second(options);
    RawClient again = second.connect();
    RawSession claimed = claim(again, session);
    CHECK(claimed.turns == session.turns);
    wait_for_turn(claimed);
    CHECK(claimed.finish() == wire::Finish::kLength);
    CHECK(claimed.tokens() == expected);
    CHECK(session.tokens() == expected);  // the old mapping is of the same memory
    again.run(claimed, {.keep = 10, .tokens = {5}, .answer = 3});
    CHECK(claimed.tokens().size() == 14);
    CHECK(second.stop() == 0);
    CHECK(bundle.shared_names().empty());
  }
}

TEST_CASE("turns that are stepped and turns that wait survive one supervisor after the other") {
  const FakeBundle bundle;
  SupervisorOptions options = daemon_options(bundle);
  options.slots = 2;
  options.queue = 3;
  const Orders orders("slow=300");
  auto supervisor = std::make_unique<SupervisorProcess>(options);
  RawClient client = supervisor->connect();
  std::vector<RawSession> sessions;
  std::vector<Ask> asks;
  for (uint32_t i = 0; i < 5; ++i) {
    sessions.push_back(client.open(i % 2 * wire::kWithNotice));
    asks.push_back({.tokens = some_tokens(20 + i, i), .answer = 40, .sampling = {.seed = i}});
    client.begin(sessions.back(), asks.back());
  }
  for (size_t killed = 1; killed < 6; ++killed) {
    wait_for_tokens(sessions[0], 20 + 6 * killed);
    supervisor->kill();
    supervisor = std::make_unique<SupervisorProcess>(options);
  }
  RawClient last = supervisor->connect();
  for (uint32_t i = 0; i < 5; ++i) {
    RawSession claimed = claim(last, sessions[i]);
    CHECK(static_cast<bool>(claimed.notice) == (i % 2 == 1));
    wait_for_turn(claimed);
    CHECK(claimed.finish() == wire::Finish::kLength);
    CHECK(claimed.tokens() == expected_after({}, asks[i]));
  }
  CHECK(last.statistics().refused_turns == 0);
}

TEST_CASE("a session is claimed with its key, by one client at a time, and if it is not, closed") {
  const FakeBundle bundle;
  SupervisorOptions options = daemon_options(bundle);
  options.unclaimed = std::chrono::milliseconds(200);
  auto supervisor = std::make_unique<SupervisorProcess>(options);
  RawClient client = supervisor->connect();
  RawSession claimed = client.open();
  RawSession lost = client.open();
  supervisor->kill();
  supervisor = std::make_unique<SupervisorProcess>(options);
  RawClient again = supervisor->connect();
  const auto refusal = [&](uint64_t session, uint64_t key) {
    return again
        .refusal_of(again.ask(wire::ClientMessage::kClaim, session, wire::Claim{.key = key}))
        .code;
  };
  CHECK(refusal(claimed.number, claimed.key + 1) == Code::kNotFound);
  CHECK(refusal(claimed.number, lost.key) == Code::kNotFound);
  CHECK(refusal(12345, claimed.key) == Code::kNotFound);
  RawSession mine = claim(again, claimed);
  while (again.statistics().sessions != 1) {
  }
  CHECK(lost.record.header().orders.is_over.load() == 1);
  CHECK(refusal(lost.number, lost.key) == Code::kNotFound);
  again.run(mine, {.tokens = kPrompt});
  CHECK(mine.finish() == wire::Finish::kLength);
  CHECK(again.open().number > lost.number);
}

TEST_CASE("names are gone after a clean end, and after the next start when all were killed") {
  const FakeBundle bundle;
  SupervisorOptions options = daemon_options(bundle);
  REQUIRE(bundle.shared_names().empty());
  auto supervisor = std::make_unique<SupervisorProcess>(options);
  std::optional<RawClient> client(supervisor->connect());
  static_cast<void>(client->open());
  CHECK(bundle.shared_names().size() == 2);
  CHECK(supervisor->stop() == 0);
  CHECK(bundle.shared_names().empty());
  CHECK_FALSE(fs::exists(options.socket));
  CHECK_FALSE(fs::exists(options.socket + ".lock"));

  // Killed, and another one with another shape, or at another place, comes after it.
  for (const bool at_another_place : {false, true}) {
    supervisor = std::make_unique<SupervisorProcess>(options);
    client.emplace(supervisor->connect());
    static_cast<void>(client->open());
    supervisor->kill();
    CHECK(bundle.shared_names().size() == 2);
    SupervisorOptions others = options;
    others.slots = 3;
    if (at_another_place) {
      // Its lock file still names the arena: it may yet be started again.
      others.socket = bundle.file("other");
      SupervisorProcess other(others);
      CHECK(bundle.shared_names().size() == 3);
      CHECK(other.stop() == 0);
      fs::remove(options.socket + ".lock");
      SupervisorProcess later(others);
      CHECK(bundle.shared_names().size() == 1);
      CHECK(later.stop() == 0);
    } else {
      SupervisorProcess other(others);
      CHECK(bundle.shared_names().size() == 1);
      CHECK(other.stop() == 0);
    }
    CHECK(bundle.shared_names().empty());
    fs::remove(options.socket);
  }
}

TEST_CASE("of two supervisors at one place one serves") {
  const FakeBundle bundle;
  const SupervisorOptions options = daemon_options(bundle);
  SupervisorProcess first(options);
  const Result<std::unique_ptr<Supervisor>> second = Supervisor::start(options);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Code::kBusy);
  RawClient client = first.connect();
  RawSession session = client.open();
  client.run(session, {.tokens = kPrompt});
  CHECK(session.finish() == wire::Finish::kLength);
}

TEST_CASE("a supervisor without descriptors serves whom it has, and others once it has some") {
  const FakeBundle bundle;
  SupervisorOptions options = daemon_options(bundle);
  SupervisorProcess supervisor(options);
  RawClient first = supervisor.connect();
  RawSession session = first.open();
  const Ask ask{.tokens = kPrompt};
  first.run(session, ask);
  const rlimit few{.rlim_cur = 24, .rlim_max = 24};
  REQUIRE(::prlimit(supervisor.pid(), RLIMIT_NOFILE, &few, nullptr) == 0);
  std::vector<RawClient> waiting;
  for (int i = 0; i < 30; ++i) waiting.push_back(supervisor.connect());
  wire::Message refused = first.ask(wire::ClientMessage::kOpen, 0, wire::Open{});
  while (refused.header.type == static_cast<uint32_t>(wire::ClientMessage::kOpened)) {
    refused = first.ask(wire::ClientMessage::kOpen, 0, wire::Open{});  // some are not let in yet
  }
  CHECK(first.refusal_of(refused).code == Code::kIo);
  first.run(session, ask);
  CHECK(session.tokens() == expected_after({}, ask));
  waiting.erase(waiting.begin() + 1, waiting.end());
  wire::Message opened = waiting[0].ask(wire::ClientMessage::kOpen, 0, wire::Open{});
  while (opened.header.type != static_cast<uint32_t>(wire::ClientMessage::kOpened)) {
    CHECK(first.refusal_of(opened).code == Code::kIo);  // it has not heard of the ends yet
    opened = waiting[0].ask(wire::ClientMessage::kOpen, 0, wire::Open{});
  }
  RawSession other = waiting[0].opened(std::move(opened));
  waiting[0].run(other, ask);
  CHECK(other.tokens() == expected_after({}, ask));
  CHECK(supervisor.stop() == 0);
  CHECK(bundle.shared_names().empty());
}

TEST_CASE("a start that fails leaves no name behind") {
  const FakeBundle bundle;
  SupervisorOptions options = daemon_options(bundle);
  std::ofstream(options.socket) << "no socket";
  const Result<std::unique_ptr<Supervisor>> supervisor = Supervisor::start(options);
  REQUIRE_FALSE(supervisor);
  CHECK(supervisor.error().code == Code::kIo);
  CHECK(bundle.shared_names().empty());
  CHECK_FALSE(fs::exists(options.socket + ".lock"));
  CHECK(fs::file_size(options.socket) == 9);
}

TEST_CASE("a relative path is the same place for everybody") {
  const FakeBundle bundle;
  SupervisorOptions options = daemon_options(bundle);
  const fs::path before = fs::current_path();
  fs::current_path(fs::path(options.socket).parent_path());
  options.socket = "socket";
  SupervisorProcess first(options);
  fs::current_path(before);
  CHECK(bundle.shared_names().size() == 1);
  options.socket = bundle.file("other");
  SupervisorProcess second(options);  // sweeps
  CHECK(bundle.shared_names().size() == 2);
}

/// Of one conversation, what may stand there: as it was, or as it was to become.
struct Known {
  RawSession session;
  Ids before;
  Ids after;
};

/// Does things at random until the supervisor is gone.
void use(RawClient& client, std::vector<Known>& known, std::mt19937& random) {
  const auto send = [&](wire::ClientMessage type, uint64_t session, const auto& body,
                        const Ids& tail) {
    return client.socket()
        .send({.type = static_cast<uint32_t>(type), .request = 1, .session = session}, body,
              std::as_bytes(std::span(tail)), {}, wire::MessageSocket::Wait::kForRoom)
        .has_value();
  };
  const auto answer = [&]() -> std::optional<wire::Message> {
    Result<std::optional<wire::Message>> message = client.socket().receive_within(-1);
    if (!message) return std::nullopt;
    return std::move(*message);
  };
  while (true) {
    const size_t index = random() % 6;
    if (index >= known.size()) {
      if (!send(wire::ClientMessage::kOpen, 0, wire::Open{}, {})) return;
      std::optional<wire::Message> message = answer();
      if (!message) return;
      known.push_back({.session = client.opened(std::move(*message)), .before = {}, .after = {}});
      continue;
    }
    Known& one = known[index];
    if (random() % 8 == 0) {
      if (!send(wire::ClientMessage::kClose, one.session.number, wire::Cancel{}, {})) return;
      known.erase(known.begin() + static_cast<ptrdiff_t>(index));
      continue;
    }
    const auto keep = static_cast<uint32_t>(random() % (one.after.size() + 1));
    const Ask ask{.keep = keep,
                  .tokens = some_tokens(1 + random() % 30, static_cast<uint32_t>(random()))};
    one.before = one.after;
    one.after = expected_after(one.before, ask);
    const wire::AskTurn body{.number = ++one.session.turns,
                             .keep = ask.keep,
                             .tokens = static_cast<uint32_t>(ask.tokens.size()),
                             .answer_tokens_max = ask.answer};
    if (!send(wire::ClientMessage::kTurn, one.session.number, body, ask.tokens)) return;
    const wire::RecordHeader& header = one.session.record.header();
    while (header.progress.turn_done.load() != one.session.turns) {
      if (!send(wire::ClientMessage::kStatistics, 0, wire::Cancel{}, {}) || !answer()) return;
    }
  }
}

TEST_CASE(
    "a supervisor killed in the middle of anything leaves sessions that can be gone on with") {
  const FakeBundle bundle;
  SupervisorOptions options = daemon_options(bundle);
  options.slots = 2;
  std::mt19937 random(7);
  std::vector<Known> known;
  for (long round = 0; round < 60; ++round) {
    CAPTURE(round);
    SupervisorProcess supervisor(options);
    RawClient client = supervisor.connect();
    for (Known& one : known) {
      one.session = claim(client, one.session);
      wait_for_turn(one.session);
      const Ids text = one.session.tokens();
      // A supervisor that died while it fed left some of what was there; else all is as asked.
      const bool is_cut = text.size() < one.before.size() &&
                          std::equal(text.begin(), text.end(), one.before.begin());
      CHECK((text == one.before || text == one.after || is_cut ||
             std::equal(text.begin(), text.end(), one.after.begin())));
      one.before = one.after = text;
    }
    const pid_t pid = supervisor.pid();
    const pid_t killer = ::fork();
    if (killer == 0) {
      ::usleep(static_cast<useconds_t>(100 + 250 * round));
      ::kill(pid, SIGKILL);
      ::_exit(0);
    }
    use(client, known, random);
    ::waitpid(killer, nullptr, 0);
  }
  SupervisorProcess last(options);
  RawClient client = last.connect();
  for (Known& one : known) static_cast<void>(claim(client, one.session));
  CHECK(bundle.shared_names().size() == 1 + client.statistics().sessions);
  CHECK(last.stop() == 0);
  CHECK(bundle.shared_names().empty());
}

}  // namespace
}  // namespace ovenbird
