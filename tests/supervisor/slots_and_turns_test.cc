// Turns that wait, are refused, cancelled or left alone: while a worker hangs, so that nothing
// depends on how fast anything is.
#include <doctest/doctest.h>

#include <poll.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <thread>

#include "supervisor/supervisor_bench.h"
#include "support/open_descriptors.h"

namespace ovenbird {
namespace {

const Ids kPrompt = some_tokens(50, 1);

/// A supervisor whose first worker hangs at its first step, until it is killed.
struct Stuck {
  Stuck(const FakeBundle& bundle, uint32_t slots, uint32_t queue)
      : orders("hang at step=1 times=1"), served([&] {
          SupervisorOptions options = fake_options(bundle);
          options.slots = slots;
          options.queue = queue;
          return options;
        }()) {}

  /// So that another one does what is to be done.
  void go_on() { kill_obedient_worker(served.client); }

  Orders orders;
  Served served;
};

TEST_CASE("turns wait for a slot in order, and one too many is told so") {
  const FakeBundle bundle;
  Stuck stuck(bundle, 1, 2);
  const Ask ask{.tokens = kPrompt};
  std::vector<RawSession> sessions;
  for (int i = 0; i < 4; ++i) {
    sessions.push_back(stuck.served.client.open());
    stuck.served.client.begin(sessions.back(), ask);
  }
  wait_for_turn(sessions[3]);
  CHECK(sessions[3].finish() == wire::Finish::kFailed);
  CHECK(sessions[3].error().code == Code::kBusy);
  CHECK(sessions[3].error().message.find("1 slots are taken and 2 turns wait") !=
        std::string::npos);
  const wire::Statistics statistics = stuck.served.client.statistics();
  CHECK(statistics.waiting == 2);
  CHECK(statistics.slots_used == 1);
  CHECK(statistics.refused_turns == 1);
  CHECK(statistics.sessions == 4);
  stuck.go_on();
  for (int i = 0; i < 3; ++i) {
    wait_for_turn(sessions[i]);
    CHECK(sessions[i].finish() == wire::Finish::kLength);
    CHECK(sessions[i].tokens() == expected_after({}, ask));
  }
  // The tokens of the one that was refused stand there; it may ask again.
  stuck.served.client.run(sessions[3], {.keep = 50, .answer = 20});
  CHECK(sessions[3].tokens() == expected_after({}, ask));
}

TEST_CASE("a turn that waits is cancelled at once, one under way between two steps") {
  const FakeBundle bundle;
  Stuck stuck(bundle, 1, 4);
  std::vector<RawSession> sessions;
  for (int i = 0; i < 3; ++i) {
    sessions.push_back(stuck.served.client.open());
    stuck.served.client.begin(sessions.back(), {.tokens = kPrompt, .answer = 900});
  }
  stuck.served.client.cancel(sessions[1]);
  wait_for_turn(sessions[1]);
  CHECK(sessions[1].finish() == wire::Finish::kCancelled);
  CHECK(sessions[1].tokens() == kPrompt);
  CHECK(stuck.served.client.statistics().waiting == 1);
  stuck.served.client.cancel(sessions[0]);
  stuck.go_on();
  wait_for_turn(sessions[0]);
  CHECK(sessions[0].finish() == wire::Finish::kCancelled);
  wait_for_turn(sessions[2]);
  CHECK(sessions[2].finish() == wire::Finish::kLength);
}

TEST_CASE("a cancel of another turn, or after the end, changes nothing") {
  const FakeBundle bundle;
  Served served(fake_options(bundle));
  RawSession session = served.client.open();
  const Ask ask{.tokens = kPrompt};
  served.client.run(session, ask);
  served.client.cancel(session);
  served.client.run(session, ask);
  CHECK(session.finish() == wire::Finish::kLength);
  CHECK(session.tokens() == expected_after({}, ask));
}

TEST_CASE("sessions that are closed, or whose client has gone, give back what they had") {
  const FakeBundle bundle;
  Stuck stuck(bundle, 1, 4);
  const Ask ask{.tokens = kPrompt};
  RawSession closed = stuck.served.client.open();
  stuck.served.client.begin(closed, ask);
  std::optional<RawClient> leaving(stuck.served.connect());
  RawSession left = leaving->open();
  leaving->begin(left, ask);
  RawSession other = stuck.served.client.open();
  stuck.served.client.begin(other, ask);
  stuck.served.client.close(closed);
  leaving.reset();
  wait_for_turn(left);
  CHECK(left.finish() == wire::Finish::kCancelled);
  CHECK(left.record.header().orders.is_over.load() == 1);
  CHECK(stuck.served.client.statistics().sessions == 1);
  CHECK(closed.record.header().orders.is_over.load() == 1);
  stuck.go_on();
  wait_for_turn(other);
  CHECK(other.tokens() == expected_after({}, ask));
  const wire::Statistics statistics = stuck.served.client.statistics();
  CHECK(statistics.clients == 1);
  CHECK(statistics.waiting == 0);
}

TEST_CASE("the session that has been idle longest loses its slot, and computes anew") {
  const FakeBundle bundle;
  SupervisorOptions options = fake_options(bundle);
  options.slots = 2;
  Served served(options);
  std::vector<RawSession> sessions;
  std::vector<Ids> texts(3);
  const auto reused = [&](size_t index) {
    const Ask ask{.keep = static_cast<uint32_t>(texts[index].size()),
                  .tokens = some_tokens(30, static_cast<uint32_t>(index)),
                  .answer = 5};
    texts[index] = expected_after(texts[index], ask);
    served.client.run(sessions[index], ask);
    CHECK(sessions[index].tokens() == texts[index]);
    return sessions[index].record.header().result.reused_tokens;
  };
  for (int i = 0; i < 3; ++i) sessions.push_back(served.client.open());
  CHECK(reused(0) == 0);
  CHECK(reused(1) == 0);
  CHECK(reused(0) > 0);   // 1 has been idle longest now
  CHECK(reused(2) == 0);  // takes its slot
  CHECK(reused(0) > 0);
  CHECK(reused(1) == 0);
  CHECK(reused(2) == 0);
}

TEST_CASE("a prompt that begins like another session's is computed from there on") {
  const FakeBundle bundle;
  SupervisorOptions options = fake_options(bundle);
  options.slots = 2;
  Served served(options);
  RawSession first = served.client.open();
  RawSession second = served.client.open();
  served.client.run(first, {.tokens = some_tokens(120, 5)});
  Ask ask{.tokens = some_tokens(120, 5), .flags = wire::kSharePrefix};
  ask.tokens.resize(100);
  ask.tokens.push_back(1);
  served.client.run(second, ask);
  CHECK(second.record.header().result.reused_tokens == 100);
  CHECK(second.tokens() == expected_after({}, ask));
}

TEST_CASE("who polls hears of every end, also of those that no worker sees") {
  const FakeBundle bundle;
  Stuck stuck(bundle, 1, 1);
  RawClient& client = stuck.served.client;
  std::vector<RawSession> sessions;
  for (int i = 0; i < 3; ++i) sessions.push_back(client.open(wire::kWithNotice));
  const auto hears = [](const RawSession& session) {
    REQUIRE(session.notice);
    pollfd wanted{.fd = session.notice.descriptor(), .events = POLLIN, .revents = 0};
    return ::poll(&wanted, 1, 120'000) == 1;
  };
  for (RawSession& session : sessions) client.begin(session, {.tokens = kPrompt});
  CHECK(hears(sessions[2]));  // there was no room to wait
  client.cancel(sessions[1]);
  CHECK(hears(sessions[1]));
  stuck.go_on();
  CHECK(hears(sessions[0]));
  wait_for_turn(sessions[0]);
  CHECK(sessions[0].finish() == wire::Finish::kLength);
}

TEST_CASE("logits are where the record says, for one token or several") {
  const FakeBundle bundle;
  Served served(fake_options(bundle));
  RawSession session = served.client.open(wire::kWithLogits);
  REQUIRE(session.record.shape().logit_rows == 8);
  for (const uint32_t rows : {1u, 3u, 8u}) {
    served.client.run(session, {.tokens = kPrompt, .answer = 0, .logit_rows = rows});
    CHECK(session.finish() == wire::Finish::kLength);
    const wire::LogitsPlace place = session.record.logits_place();
    REQUIRE(place.rows == rows);
    uint64_t link = kFakeBeginning;
    std::vector<float> expected(kVocabulary);
    for (size_t i = 0; i < kPrompt.size(); ++i) {
      link = fake_link(link, kPrompt[i]);
      if (i + rows < kPrompt.size()) continue;
      write_fake_logits(link, expected);
      const size_t row = place.first_row + (i + rows - kPrompt.size());
      const auto logits = session.record.logits().subspan(row * kVocabulary, kVocabulary);
      CHECK(std::equal(logits.begin(), logits.end(), expected.begin()));
    }
  }
}

TEST_CASE("a supervisor that ends leaves nobody waiting") {
  const FakeBundle bundle;
  const Orders orders("hang at step=1");
  std::optional<SupervisorThread> supervisor(*SupervisorThread::start(fake_options(bundle)));
  RawClient client(*supervisor->connect());
  RawSession session = client.open();
  client.begin(session, {.tokens = kPrompt});
  CHECK(client.statistics().sessions == 1);  // it has heard of the turn
  std::thread waiting([&] { wait_for_turn(session); });
  supervisor.reset();
  waiting.join();
  CHECK(session.finish() == wire::Finish::kFailed);
  CHECK(session.error().code == Code::kInterrupted);
  CHECK(session.record.header().orders.is_over.load() == 1);
}

TEST_CASE("a supervisor that drains finishes what is under way and takes nothing new") {
  const FakeBundle bundle;
  const Orders orders("hang at step=1 times=1");
  Result<std::unique_ptr<Supervisor>> supervisor = Supervisor::start(fake_options(bundle));
  REQUIRE(supervisor);
  RawClient client(*std::move((*supervisor)->connect()));
  std::thread running([&] { CHECK((*supervisor)->run()); });
  RawSession old = client.open();
  RawSession late = client.open();
  const Ask ask{.tokens = kPrompt};
  client.begin(old, ask);
  (*supervisor)->stop(Supervisor::Stop::kDrain);
  Error error{};
  while (error.code != Code::kBusy || error.message.find("about to end") == std::string::npos) {
    client.begin(late, ask);  // the first may come before the supervisor has heard
    client.cancel(late);
    wait_for_turn(late);
    error = late.error();
  }
  kill_obedient_worker(client);
  wait_for_turn(old);
  CHECK(old.finish() == wire::Finish::kLength);
  CHECK(old.tokens() == expected_after({}, ask));
  running.join();
}

TEST_CASE("a drain lasts no longer than it may") {
  const FakeBundle bundle;
  const Orders orders("hang at step=1");
  SupervisorOptions options = fake_options(bundle);
  options.drain = std::chrono::milliseconds(50);
  Result<std::unique_ptr<Supervisor>> supervisor = Supervisor::start(options);
  REQUIRE(supervisor);
  RawClient client(*std::move((*supervisor)->connect()));
  std::thread running([&] { CHECK((*supervisor)->run()); });
  RawSession session = client.open();
  client.begin(session, {.tokens = kPrompt});
  while (client.statistics().worker == 0) {
  }
  (*supervisor)->stop(Supervisor::Stop::kDrain);
  running.join();
  CHECK(session.error().code == Code::kInterrupted);
  CHECK_FALSE(client.socket().receive());  // the other end is closed
  CHECK((*supervisor)->connect().error().code == Code::kNotFound);
}

TEST_CASE("stopped before it runs, it does not run") {
  const FakeBundle bundle;
  const Result<std::unique_ptr<Supervisor>> supervisor = Supervisor::start(fake_options(bundle));
  REQUIRE(supervisor);
  (*supervisor)->stop(Supervisor::Stop::kDrain);
  CHECK((*supervisor)->run());
}

TEST_CASE("a supervisor leaves no descriptor and no process behind") {
  const FakeBundle bundle;
  const auto live_and_die = [&] {
    const Orders orders("kill at step=5 times=1");
    SupervisorOptions options = fake_options(bundle);
    options.standby = true;
    Served served(options);
    RawSession session = served.client.open(wire::kWithNotice);
    served.client.run(session, {.tokens = kPrompt});
  };
  live_and_die();
  const ptrdiff_t before = open_descriptors();
  for (int i = 0; i < 3; ++i) live_and_die();
  CHECK(open_descriptors() == before);
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
  CHECK(errno == ECHILD);
}

}  // namespace
}  // namespace ovenbird
