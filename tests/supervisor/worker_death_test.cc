// Workers that die at every moment, one of them or one after the other: the text is what it would
// have been, or the turn says why there is none.
#include <doctest/doctest.h>

#include <csignal>
#include <thread>

#include "supervisor/supervisor_bench.h"

namespace ovenbird {
namespace {

const Ids kPrompt = some_tokens(50, 1);

std::string text_of(const auto& characters) { return characters.data(); }

TEST_CASE("a turn is done as it was asked for") {
  const FakeBundle bundle;
  Served served(fake_options(bundle));
  const Ask ask{.tokens = kPrompt, .answer = 60};
  RawSession session = served.client.open();
  served.client.run(session, ask);
  CHECK(session.finish() == wire::Finish::kLength);
  CHECK(session.tokens() == expected_after({}, ask));
  const wire::Statistics statistics = served.client.statistics();
  CHECK(statistics.restarts == 0);
  CHECK(statistics.turns == 1);
  CHECK(statistics.said_tokens == 60);
  CHECK(text_of(statistics.device) == "CPU");
  CHECK(text_of(statistics.last_failure).empty());
}

TEST_CASE("turn after turn goes on from what stands there") {
  const FakeBundle bundle;
  Served served(fake_options(bundle));
  RawSession session = served.client.open();
  Ids text;
  for (uint32_t turn = 0; turn < 12; ++turn) {
    const Ask ask{.keep = static_cast<uint32_t>(text.size()) - (turn % 3 == 2 ? 7 : 0),
                  .tokens = some_tokens(5 + turn, turn),
                  .answer = 9 + turn};
    text = expected_after(text, ask);
    served.client.run(session, ask);
    CHECK(session.finish() == wire::Finish::kLength);
    CHECK(session.tokens() == text);
  }
  CHECK(text.size() > kRows / 2);
}

TEST_CASE("a conversation may be longer than a slot") {
  const FakeBundle bundle;
  Served served(fake_options(bundle));
  RawSession session = served.client.open();
  const Ask ask{.tokens = some_tokens(300, 3), .answer = 500};
  served.client.run(session, ask);
  CHECK(session.tokens() == expected_after({}, ask));
  CHECK(served.client.statistics().restarts == 0);
}

TEST_CASE("end ids, sampling and biases come through; a full record ends a turn") {
  const FakeBundle bundle;
  Served served(fake_options(bundle));
  RawSession session = served.client.open(0, 100);
  Ask ask{.tokens = kPrompt,
          .answer = 30,
          .biases = {{.id = 3, .value = 0.5f}, {.id = 900, .value = -2}},
          .sampling = {.seed = 0xffff'ffff'ffff'fffe, .temperature = 0.7f}};
  const Ids expected = expected_after({}, ask);
  served.client.run(session, ask);
  CHECK(session.tokens() == expected);
  ask.end_ids = {-1, expected[60]};
  served.client.run(session, ask);
  CHECK(session.finish() == wire::Finish::kEnd);
  CHECK(session.tokens() == expected_after({}, ask));
  ask.end_ids.clear();
  ask.answer = 51;
  served.client.run(session, ask);
  CHECK(session.finish() == wire::Finish::kFull);
  CHECK(session.tokens().size() == 100);
}

TEST_CASE("a worker that is killed at any step is followed by one that says the rest") {
  const FakeBundle bundle;
  const Ask ask{.tokens = kPrompt, .answer = 60, .sampling = {.seed = 7, .temperature = 1}};
  const Ids expected = expected_after({}, ask);
  for (int step = 1; step <= 60; ++step) {
    CAPTURE(step);
    const Orders orders("kill at step=" + std::to_string(step) + " times=1");
    Served served(fake_options(bundle));
    RawSession session = served.client.open();
    served.client.run(session, ask);
    CHECK(session.finish() == wire::Finish::kLength);
    CHECK(session.tokens() == expected);
    CHECK(served.client.statistics().restarts == 1);
  }
}

TEST_CASE("a worker that is killed between any two stores is followed by one that says the rest") {
  const FakeBundle bundle;
  const Ask ask{.tokens = some_tokens(20, 2), .answer = 12};
  const Ids expected = expected_after({}, ask);
  uint64_t restarts = 1;
  int store = 0;
  for (; restarts == 1; ++store) {
    CAPTURE(store);
    const Orders orders("kill at store=" + std::to_string(store + 1) + " times=1");
    Served served(fake_options(bundle));
    RawSession session = served.client.open();
    served.client.run(session, ask);
    CHECK(session.finish() == wire::Finish::kLength);
    CHECK(session.tokens() == expected);
    restarts = served.client.statistics().restarts;
  }
  CHECK(store > 100);
}

TEST_CASE("workers that all die after a few steps get a turn done together") {
  const FakeBundle bundle;
  for (const char* how : {"kill at step=4", "exit at step=4", "fail=8 at step=4"}) {
    CAPTURE(how);
    const Orders orders(how);
    SupervisorOptions options = fake_options(bundle);
    options.crashes.deaths = 1000;
    Served served(options);
    RawSession session = served.client.open();
    const Ask ask{.tokens = kPrompt, .answer = 40};
    served.client.run(session, ask);
    CHECK(session.finish() == wire::Finish::kLength);
    CHECK(session.tokens() == expected_after({}, ask));
    CHECK(served.client.statistics().restarts >= 10);
  }
}

TEST_CASE("a worker that hangs is killed, and the next one goes on") {
  const FakeBundle bundle;
  for (const char* place : {"start", "bind", "step=1", "step=9"}) {
    CAPTURE(place);
    const Orders orders(std::string("hang at ") + place + " times=1");
    SupervisorOptions options = fake_options(bundle);
    const std::chrono::milliseconds soon(100);
    options.deadlines = {.start = soon, .bind = soon, .first_step = soon, .step_floor = soon};
    Served served(options);
    RawSession session = served.client.open();
    const Ask ask{.tokens = kPrompt, .answer = 30};
    served.client.run(session, ask);
    CHECK(session.finish() == wire::Finish::kLength);
    CHECK(session.tokens() == expected_after({}, ask));
    const wire::Statistics statistics = served.client.statistics();
    CHECK(statistics.restarts >= 1);
    CHECK_MESSAGE(text_of(statistics.last_failure).find("hung") != std::string::npos,
                  text_of(statistics.last_failure));
  }
}

TEST_CASE("the death between turns is nobody's loss") {
  const FakeBundle bundle;
  Served served(fake_options(bundle));
  RawSession session = served.client.open();
  Ids text;
  for (uint32_t turn = 0; turn < 5; ++turn) {
    const Ask ask{
        .keep = static_cast<uint32_t>(text.size()), .tokens = some_tokens(9, turn), .answer = 9};
    text = expected_after(text, ask);
    served.client.run(session, ask);
    CHECK(session.tokens() == text);
    if (turn > 0) CHECK(session.record.header().result.reused_tokens + 1 >= ask.keep);
    if (turn >= 2) continue;
    REQUIRE(::kill(static_cast<int>(served.client.statistics().worker), SIGKILL) == 0);
    while (served.client.statistics().restarts <= turn) {
    }
  }
}

TEST_CASE("a supervisor outlives the thread that started it") {
  const FakeBundle bundle;
  std::optional<Served> served;
  std::thread([&] { served.emplace(fake_options(bundle)); }).join();
  RawSession session = served->client.open();
  const Ask ask{.tokens = kPrompt, .answer = 60};
  served->client.run(session, ask);
  CHECK(session.tokens() == expected_after({}, ask));
  CHECK(served->client.statistics().restarts == 0);
}

TEST_CASE("a first step that hangs is found by what is known of the workers before it") {
  const FakeBundle bundle;
  SupervisorOptions options = fake_options(bundle);
  options.deadlines.step_floor = std::chrono::milliseconds(2'000);
  options.deadlines.step_floor_of_first = std::chrono::milliseconds(200);
  Served served(options);
  RawSession session = served.client.open();
  const Ask first{.tokens = some_tokens(30, 1)};
  served.client.run(session, first);
  const Orders orders("hang at step=1 times=1");
  ::kill(static_cast<pid_t>(served.client.statistics().worker), SIGKILL);
  const Ask second{.tokens = some_tokens(30, 2)};
  served.client.run(session, second);
  CHECK(session.tokens() == expected_after({}, second));
  const wire::Statistics statistics = served.client.statistics();
  CHECK(statistics.restarts == 2);
  const std::string why = statistics.last_failure.data();
  CHECK_MESSAGE(why.find("it may take 200 ms") != std::string::npos, why);
}

}  // namespace
}  // namespace ovenbird
