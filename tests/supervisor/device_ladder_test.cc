// Devices that fail: the next one takes over where the last one was, or clients are told why none
// can.
#include <filesystem>

#include <doctest/doctest.h>

#include "supervisor/supervisor_bench.h"

namespace ovenbird {
namespace {

const Ids kPrompt = some_tokens(50, 1);

std::string text_of(const auto& characters) { return characters.data(); }

SupervisorOptions on_all_devices(const FakeBundle& bundle) {
  SupervisorOptions options = fake_options(bundle);
  options.device = "auto";
  return options;
}

/// A turn on such workers: what it said, and how the supervisor was then.
struct Outcome {
  Ids text;
  wire::Finish finish = wire::Finish::kNone;
  Error error{};
  wire::Statistics statistics;
};

Outcome outcome_of(const SupervisorOptions& options, const std::string& lines, const Ask& ask) {
  const Orders orders(lines);
  Served served(options);
  RawSession session = served.client.open();
  served.client.run(session, ask);
  return {.text = session.tokens(),
          .finish = session.finish(),
          .error = session.error(),
          .statistics = served.client.statistics()};
}

TEST_CASE("the first device that can be used is used") {
  const FakeBundle bundle;
  const Ask ask{.tokens = kPrompt};
  // kNoDevice, kCompileFailed, kOutOfMemory
  for (const char* code : {"5", "6", "7"}) {
    const std::string fails = std::string("fail=") + code + " at start device=";
    const Outcome two = outcome_of(on_all_devices(bundle), fails + "NPU\n" + fails + "GPU", ask);
    CHECK(two.text == expected_after({}, ask));
    CHECK(text_of(two.statistics.device) == "CPU");
    const Outcome one = outcome_of(on_all_devices(bundle), fails + "NPU", ask);
    CHECK(one.text == expected_after({}, ask));
    CHECK(text_of(one.statistics.device) == "GPU");
    CHECK(text_of(one.statistics.last_failure).find("fake fault at start") != std::string::npos);
  }
}

TEST_CASE("a device whose every step ends its worker is left for the next one") {
  const FakeBundle bundle;
  const Ask ask{.tokens = kPrompt, .answer = 40};
  for (const char* how : {"kill at step=1", "fail=8 at step=1", "fail=9 at step=1"}) {
    CAPTURE(how);
    const std::string dies = std::string(how) + " device=";
    const Outcome one = outcome_of(on_all_devices(bundle), dies + "NPU", ask);
    CHECK(one.finish == wire::Finish::kLength);
    CHECK(one.text == expected_after({}, ask));
    CHECK(text_of(one.statistics.device) == "GPU");
    CHECK(one.statistics.restarts == 3);
    CHECK(one.statistics.failovers == 1);
    const Outcome two = outcome_of(on_all_devices(bundle), dies + "NPU\n" + dies + "GPU", ask);
    CHECK(two.finish == wire::Finish::kLength);
    CHECK(two.text == expected_after({}, ask));
    CHECK(text_of(two.statistics.device) == "CPU");
    CHECK(two.statistics.failovers == 2);
  }
}

TEST_CASE("a device that dies now and then is left once it does so too often") {
  const FakeBundle bundle;
  const Ask ask{.tokens = kPrompt, .answer = 60};
  const Outcome outcome = outcome_of(on_all_devices(bundle), "kill at step=11 device=NPU", ask);
  CHECK(outcome.text == expected_after({}, ask));
  CHECK(text_of(outcome.statistics.device) == "GPU");
  CHECK(outcome.statistics.restarts == 3);
  CHECK(outcome.statistics.failovers == 1);
}

TEST_CASE("a device that does not start is left after a few tries") {
  const FakeBundle bundle;
  const Ask ask{.tokens = kPrompt};
  const Outcome outcome = outcome_of(on_all_devices(bundle), "kill at start device=NPU", ask);
  CHECK(outcome.text == expected_after({}, ask));
  CHECK(text_of(outcome.statistics.device) == "GPU");
}

TEST_CASE("where no device can be used, turns fail and name each") {
  const FakeBundle bundle;
  const Ask ask{.tokens = kPrompt};
  const Outcome outcome = outcome_of(on_all_devices(bundle), "fail=5 at start", ask);
  CHECK(outcome.finish == wire::Finish::kFailed);
  CHECK(outcome.error.code == Code::kNoDevice);
  for (const char* device : {"NPU: fake fault", "GPU: fake fault", "CPU: fake fault"}) {
    CHECK_MESSAGE(outcome.error.message.find(device) != std::string::npos, outcome.error.message);
    CHECK(text_of(outcome.statistics.last_failure).find(device) != std::string::npos);
  }
  CHECK(outcome.text == kPrompt);
  CHECK(outcome.statistics.is_ready == 0);
}

TEST_CASE("without fallback there is no other device, and turns say what is wrong with it") {
  const FakeBundle bundle;
  SupervisorOptions options = on_all_devices(bundle);
  options.device = "NPU";
  options.fallback = false;
  const Outcome outcome = outcome_of(options, "fail=6 at start", {.tokens = kPrompt});
  CHECK(outcome.finish == wire::Finish::kFailed);
  CHECK_MESSAGE(outcome.error.message.find("NPU: fake fault at start") != std::string::npos,
                outcome.error.message);
  CHECK(outcome.error.message.find("GPU") == std::string::npos);
}

TEST_CASE("without fallback a worker that dies is replaced on the same device") {
  const FakeBundle bundle;
  SupervisorOptions options = on_all_devices(bundle);
  options.device = "NPU";
  options.fallback = false;
  const Ask ask{.tokens = kPrompt, .answer = 30};
  const Outcome outcome = outcome_of(options, "kill at step=9 times=4", ask);
  CHECK(outcome.text == expected_after({}, ask));
  CHECK(text_of(outcome.statistics.device) == "NPU");
  CHECK(outcome.statistics.restarts >= 3);
}

/// Asks until the device in use is this one.
wire::Statistics statistics_on(RawClient& client, const std::string& device) {
  wire::Statistics statistics = client.statistics();
  while (text_of(statistics.device) != device) statistics = client.statistics();
  return statistics;
}

TEST_CASE("a device whose deaths are forgiven is taken again, in the middle of an answer") {
  const FakeBundle bundle;
  SupervisorOptions options = on_all_devices(bundle);
  options.crashes.window = std::chrono::milliseconds(200);
  const Orders orders("kill at step=2 device=NPU times=3\nslow=1000");
  Served served(options);
  RawSession session = served.client.open();
  const Ask ask{.tokens = kPrompt, .answer = 900};
  served.client.begin(session, ask);
  CHECK(statistics_on(served.client, "GPU").failovers == 1);
  const wire::Statistics statistics = statistics_on(served.client, "NPU");
  CHECK(session.record.is_turn_under_way());
  CHECK(statistics.restarts == 3);
  CHECK(statistics.failovers == 1);
  wait_for_turn(session);
  CHECK(session.tokens() == expected_after({}, ask));
}

TEST_CASE("after a standby has taken over, the better device comes back") {
  const FakeBundle bundle;
  SupervisorOptions options = on_all_devices(bundle);
  options.standby = true;
  const Orders orders("kill at step=9 device=NPU times=1\nslow=1000");
  Served served(options);
  RawSession session = served.client.open();
  while (served.client.statistics().standby == 0) {
  }
  const Ask ask{.tokens = kPrompt, .answer = 900};
  served.client.begin(session, ask);
  CHECK(statistics_on(served.client, "GPU").failovers == 1);
  CHECK(statistics_on(served.client, "NPU").restarts == 1);
  wait_for_turn(session);
  CHECK(session.tokens() == expected_after({}, ask));
}

TEST_CASE("a device that is still broken is tried again, and nobody notices") {
  const FakeBundle bundle;
  SupervisorOptions options = on_all_devices(bundle);
  options.crashes.window = std::chrono::milliseconds(400);
  const Orders orders("fail=8 at start device=NPU\nslow=1000");
  Served served(options);
  RawSession session = served.client.open();
  const uint64_t restarts = statistics_on(served.client, "GPU").restarts;
  const Ask ask{.tokens = kPrompt, .answer = 900};
  served.client.run(session, ask);
  CHECK(session.tokens() == expected_after({}, ask));
  const wire::Statistics statistics = served.client.statistics();
  CHECK(text_of(statistics.device) == "GPU");
  CHECK(statistics.restarts == restarts);
}

TEST_CASE("a turn that ends every worker fails, and the supervisor goes on") {
  const FakeBundle bundle;
  SupervisorOptions options = fake_options(bundle);
  options.slots = 2;
  const Orders orders("kill at step=1 slot=0");
  Served served(options);
  RawSession guilty = served.client.open();
  RawSession other = served.client.open();
  const Ask ask{.tokens = kPrompt, .answer = 40};
  served.client.begin(guilty, ask);
  served.client.begin(other, ask);
  wait_for_turn(guilty);
  wait_for_turn(other);
  CHECK(guilty.finish() == wire::Finish::kFailed);
  CHECK(guilty.error().message.find("in a row") != std::string::npos);
  CHECK(other.finish() == wire::Finish::kLength);
  CHECK(other.tokens() == expected_after({}, ask));
}

TEST_CASE("two turns that end every worker both fail, and others go on") {
  const FakeBundle bundle;
  SupervisorOptions options = fake_options(bundle);
  options.slots = 3;
  const Orders orders("kill at step=1 slot=0\nkill at step=1 slot=1\nslow=2000");
  Served served(options);
  std::vector<RawSession> sessions;
  for (int i = 0; i < 3; ++i) sessions.push_back(served.client.open());
  const Ask ask{.tokens = kPrompt, .answer = 150};
  for (RawSession& session : sessions) served.client.begin(session, ask);
  for (RawSession& session : sessions) wait_for_turn(session);
  CHECK(sessions[0].finish() == wire::Finish::kFailed);
  CHECK(sessions[1].finish() == wire::Finish::kFailed);
  CHECK(sessions[2].finish() == wire::Finish::kLength);
  CHECK(sessions[2].tokens() == expected_after({}, ask));
  CHECK(served.client.statistics().restarts <= 8);
}

TEST_CASE("workers that never start on the last device: turns fail with the reason") {
  const FakeBundle bundle;
  for (const char* how : {"exit at start", "fail=11 at start", "exit at ready"}) {
    CAPTURE(how);
    const Outcome outcome = outcome_of(fake_options(bundle), how, {.tokens = kPrompt});
    CHECK(outcome.finish == wire::Finish::kFailed);
    CHECK(outcome.error.message.find("CPU: ") != std::string::npos);
  }
}

TEST_CASE("without the engine's program nothing starts, and it is said how to get it") {
  const FakeBundle bundle;
  SupervisorOptions options = on_all_devices(bundle);
  options.engine = bundle.file("nothing");
  const auto refused = Supervisor::start(options);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::kNotFound);
  CHECK_MESSAGE(refused.error().message.find("nothing") != std::string::npos,
                refused.error().message);
  CHECK(refused.error().message.find("OVENBIRD_ENGINE") != std::string::npos);
}

TEST_CASE("the engine's program goes away: turns fail and name it") {
  const FakeBundle bundle;
  SupervisorOptions options = fake_options(bundle);
  const std::string engine = bundle.file("engine");
  std::filesystem::create_symlink(options.engine, engine);
  options.engine = engine;
  const Orders orders("kill at step=2");
  Served served(options);
  RawSession session = served.client.open();
  served.client.statistics();  // the first worker has been started
  std::filesystem::remove(engine);
  served.client.run(session, {.tokens = kPrompt});
  CHECK(session.finish() == wire::Finish::kFailed);
  CHECK_MESSAGE(session.error().message.find(engine) != std::string::npos, session.error().message);
}

TEST_CASE("a standby takes over at once, and another one is made") {
  const FakeBundle bundle;
  SupervisorOptions options = on_all_devices(bundle);
  options.standby = true;
  options.crashes.deaths = 1;  // nobody goes back to the NPU
  const Orders orders("kill at step=7 device=NPU");
  Served served(options);
  RawSession session = served.client.open();
  // The standby is there before the turn begins, and not started for it.
  uint32_t standby = 0;
  while ((standby = served.client.statistics().standby) == 0) {
  }
  const Ask ask{.tokens = kPrompt, .answer = 60};
  served.client.run(session, ask);
  CHECK(session.tokens() == expected_after({}, ask));
  wire::Statistics statistics = served.client.statistics();
  CHECK(statistics.worker == standby);
  CHECK(statistics.failovers == 1);
  CHECK(text_of(statistics.device) == "GPU");
  while (served.client.statistics().standby == 0) {
  }
}

TEST_CASE("a standby that is ready before the next worker is takes over") {
  const FakeBundle bundle;
  SupervisorOptions options = on_all_devices(bundle);
  options.standby = true;
  const Orders orders("wait at start role=standby times=1\nkill at step=3 device=NPU times=1");
  Served served(options);
  RawSession session = served.client.open();
  while (!Orders::is_obeyed()) static_cast<void>(served.client.statistics());
  const Orders later("hang at start device=NPU");
  const Ask ask{.tokens = kPrompt, .answer = 60};
  served.client.begin(session, ask);
  while (served.client.statistics().worker != 0) {
  }
  Orders::let_go_on();
  wait_for_turn(session);
  CHECK(session.tokens() == expected_after({}, ask));
  CHECK(text_of(served.client.statistics().device) == "GPU");
}

}  // namespace
}  // namespace ovenbird
