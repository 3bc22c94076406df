// A slot at work, over the toy model: a worker that is gone after any step, or fails at any call,
// changes nothing of what is said.
#include "worker/slot_runner.h"

#include <doctest/doctest.h>

#include <set>

#include "session/session.h"
#include "worker_bench.h"

namespace ovenbird {
namespace {

// A prompt of several steps, an answer beyond the short past's end and the cache's.
constexpr ToyBundle kToy{.context = 64, .past = 64, .short_past = 32};
constexpr uint32_t kAnswer = 60;

Ids prompt_ids(size_t count, uint32_t seed) {
  Ids ids;
  for (size_t i = 0; i < count; ++i) {
    seed = seed * 1664525 + 1013904223;
    ids.push_back(static_cast<int32_t>((seed >> 8) % 60));
  }
  return ids;
}

wire::Turn turn_of(uint32_t answer_tokens, float temperature = 0) {
  wire::Turn turn{.answer_tokens_max = answer_tokens};
  turn.sampling.temperature = temperature;
  turn.sampling.seed = 7;
  return turn;
}

/// What an undisturbed worker says.
Ids undisturbed(const Manifest& manifest, const GraphSet& set, const Ids& prompt,
                const wire::Turn& turn) {
  SharedBytes bytes(manifest, set.plan, 1);
  ToyWorker worker(manifest, set, bytes.arena);
  ToySession session(manifest, 0);
  session.ask(0, prompt, turn);
  REQUIRE(worker.runners[0]->attach(session.attached()));
  run_turn(worker, 0);
  CHECK(session.finish() == wire::Finish::kLength);
  CHECK(worker.engine.faults().empty());
  return session.tokens();
}

/// What a session in this process says.
Ids plain_session(const Manifest& manifest, const GraphSet& set, const Ids& prompt,
                  const wire::Turn& turn) {
  FakeEngine engine(manifest, set.graphs);
  const auto plan = make_plan(set.plan, engine, manifest);
  REQUIRE(plan);
  Result<Session> session =
      Session::create(**plan, manifest.model.vocabulary, {.sampling = wire::sampling_of(turn)});
  REQUIRE(session);
  REQUIRE(session->prompt(prompt));
  for (uint32_t i = 0; i < turn.answer_tokens_max; ++i) REQUIRE(session->next());
  return {session->tokens().begin(), session->tokens().end()};
}

std::vector<GraphSet> all_sets(const Manifest& manifest) {
  std::vector<GraphSet> sets;
  for (const char* name : {"cached CPU lean", "cached CPU balanced", "cached CPU fast",
                           "cached NPU balanced", "dynamic", "window"}) {
    sets.push_back(graph_set(manifest, name));
  }
  return sets;
}

TEST_CASE("a slot says what a session in one process says") {
  const Manifest manifest = toy_manifest(kToy);
  for (const GraphSet& set : all_sets(manifest)) {
    CAPTURE(set.name);
    for (const float temperature : {0.0f, 0.9f}) {
      const wire::Turn turn = turn_of(kAnswer, temperature);
      const Ids prompt = prompt_ids(29, 1);
      CHECK(undisturbed(manifest, set, prompt, turn) == plain_session(manifest, set, prompt, turn));
    }
  }
}

TEST_CASE("a worker that is gone after any step is followed by one that says the rest") {
  const Manifest manifest = toy_manifest(kToy);
  for (const GraphSet& set : all_sets(manifest)) {
    CAPTURE(set.name);
    const wire::Turn turn = turn_of(kAnswer, 0.9f);
    const Ids prompt = prompt_ids(29, 1);
    const Ids expected = undisturbed(manifest, set, prompt, turn);
    for (size_t steps = 0; steps < 70; ++steps) {
      CAPTURE(steps);
      SharedBytes bytes(manifest, set.plan, 2);
      ToySession session(manifest, 0);
      session.ask(0, prompt, turn);
      {
        ToyWorker first(manifest, set, bytes.arena);
        REQUIRE(first.runners[1]->attach(session.attached()));
        run_turn(first, 1, steps);
      }
      const size_t known = session.tokens().size();
      ToyWorker second(manifest, set, bytes.arena);
      REQUIRE(second.runners[1]->attach(session.attached()));
      run_turn(second, 1);
      CHECK(session.tokens().size() >= known);
      CHECK(session.tokens() == expected);
      CHECK(session.finish() == wire::Finish::kLength);
      CHECK(second.engine.faults().empty());
    }
  }
}

TEST_CASE("a worker that fails at any call leaves the record for the next") {
  const Manifest manifest = toy_manifest(kToy);
  const GraphSet set = graph_set(manifest, "cached CPU balanced");
  const wire::Turn turn = turn_of(kAnswer);
  const Ids prompt = prompt_ids(29, 1);
  const Ids expected = undisturbed(manifest, set, prompt, turn);
  for (uint64_t calls = 0; calls < 64; ++calls) {
    CAPTURE(calls);
    SharedBytes bytes(manifest, set.plan, 1);
    ToySession session(manifest, 0);
    session.ask(0, prompt, turn);
    {
      ToyWorker first(manifest, set, bytes.arena);
      REQUIRE(first.runners[0]->attach(session.attached()));
      first.engine.fail_after(calls);
      Result<SlotRunner::Outcome> outcome = SlotRunner::Outcome::kGoesOn;
      while (first.runners[0]->has_turn() && outcome) {
        outcome = first.runners[0]->step(first.runners);
      }
      CHECK(outcome.has_value() == first.engine.has_pending_fault());
    }
    ToyWorker second(manifest, set, bytes.arena);
    REQUIRE(second.runners[0]->attach(session.attached()));
    run_turn(second, 0);
    CHECK(session.tokens() == expected);
  }
}

TEST_CASE("an answer ends with an end token, at a cancel, at a full record") {
  const Manifest manifest = toy_manifest({});
  const GraphSet set = graph_set(manifest, "cached CPU balanced");
  SharedBytes bytes(manifest, set.plan, 1);
  ToyWorker worker(manifest, set, bytes.arena);
  const Ids prompt = prompt_ids(20, 3);
  ToySession session(manifest, 0, 64);
  REQUIRE(worker.runners[0]->attach(session.attached()));

  session.ask(0, prompt, turn_of(10));
  run_turn(worker, 0);
  const Ids said = session.tokens();
  REQUIRE(said.size() == 30);

  wire::Turn turn = turn_of(10);
  turn.end_id_count = 1;
  turn.end_ids[0] = said[24];
  session.ask(0, prompt, turn);
  run_turn(worker, 0);
  CHECK(session.finish() == wire::Finish::kEnd);
  CHECK(session.tokens().back() == said[24]);
  CHECK(session.tokens().size() <= 25);

  session.ask(0, prompt, turn_of(1000));
  run_turn(worker, 0, 4);
  session.record().header().orders.turn_cancel = session.record().header().orders.turn_asked.load();
  run_turn(worker, 0);
  CHECK(session.finish() == wire::Finish::kCancelled);
  CHECK(session.tokens().size() < 30);

  session.ask(0, prompt, turn_of(1000));
  run_turn(worker, 0);
  CHECK(session.finish() == wire::Finish::kFull);
  CHECK(session.tokens().size() == 64);
}

TEST_CASE("drafts do not say more than what was asked for") {
  const Manifest manifest = toy_manifest({});
  const GraphSet set = graph_set(manifest, "cached CPU fast");
  SharedBytes bytes(manifest, set.plan, 1);
  ToyWorker worker(manifest, set, bytes.arena);
  const Ids prompt = prompt_ids(20, 3);
  const Ids expected = undisturbed(manifest, set, prompt, turn_of(40));
  for (uint32_t most = 1; most <= 40; ++most) {
    ToySession session(manifest, 0);
    REQUIRE(worker.runners[0]->attach(session.attached()));
    wire::Turn turn = turn_of(most);
    turn.flags = wire::kDrafts;
    session.ask(0, prompt, turn);
    run_turn(worker, 0);
    CHECK(session.finish() == wire::Finish::kLength);
    CHECK(session.tokens() == Ids(expected.begin(), expected.begin() + 20 + most));
  }
}

TEST_CASE("a prompt that begins like another slot's is not computed again") {
  const Manifest manifest = toy_manifest({});
  const GraphSet set = graph_set(manifest, "cached CPU balanced");
  SharedBytes bytes(manifest, set.plan, 3);
  ToyWorker worker(manifest, set, bytes.arena);
  const Ids prompt = prompt_ids(300, 5);
  Ids other = prompt;
  other.resize(250);
  for (const int32_t id : prompt_ids(20, 9)) other.push_back(id);

  ToySession first(manifest, 0);
  REQUIRE(worker.runners[0]->attach(first.attached()));
  first.ask(0, prompt, turn_of(5));
  run_turn(worker, 0);

  ToySession second(manifest, 0);
  REQUIRE(worker.runners[2]->attach(second.attached()));
  wire::Turn turn = turn_of(8);
  turn.flags = wire::kSharePrefix;
  second.ask(0, other, turn);
  const uint64_t given = worker.engine.tokens_given();
  run_turn(worker, 2);
  CHECK(second.record().header().result.reused_tokens == 250);
  CHECK(worker.engine.tokens_given() - given == 20 + 7);
  CHECK(second.tokens() == undisturbed(manifest, set, other, turn_of(8)));
  CHECK(worker.engine.faults().empty());
}

TEST_CASE("a session that has some of the prefix takes more of it from another one") {
  const Manifest manifest = toy_manifest({});
  const GraphSet set = graph_set(manifest, "cached CPU balanced");
  SharedBytes bytes(manifest, set.plan, 2);
  ToyWorker worker(manifest, set, bytes.arena);
  const Ids prompt = prompt_ids(300, 5);
  const Ids beginning(prompt.begin(), prompt.begin() + 100);
  ToySession first(manifest, 0);
  ToySession second(manifest, 0);
  REQUIRE(worker.runners[0]->attach(first.attached()));
  REQUIRE(worker.runners[1]->attach(second.attached()));
  first.ask(0, prompt, turn_of(0));
  run_turn(worker, 0);
  second.ask(0, beginning, turn_of(0));
  run_turn(worker, 1);

  wire::Turn turn = turn_of(8);
  turn.flags = wire::kSharePrefix;
  second.ask(100, {prompt.begin() + 100, prompt.end()}, turn);
  run_turn(worker, 1);
  CHECK(second.record().header().result.reused_tokens == 299);
  CHECK(second.tokens() == undisturbed(manifest, set, prompt, turn_of(8)));
}

TEST_CASE("tokens that another session was fed and has not computed are no prefix") {
  const Manifest manifest = toy_manifest({});
  const GraphSet set = graph_set(manifest, "cached CPU balanced");
  SharedBytes bytes(manifest, set.plan, 2);
  ToyWorker worker(manifest, set, bytes.arena);
  const Ids old = prompt_ids(100, 5);
  const Ids fed = prompt_ids(60, 9);
  ToySession first(manifest, 0);
  REQUIRE(worker.runners[0]->attach(first.attached()));
  first.ask(0, old, turn_of(5));
  run_turn(worker, 0);
  first.ask(30, fed, turn_of(5));  // and is not stepped yet

  Ids prompt(old.begin(), old.begin() + 30);
  prompt.insert(prompt.end(), fed.begin(), fed.end());
  ToySession second(manifest, 0);
  REQUIRE(worker.runners[1]->attach(second.attached()));
  wire::Turn turn = turn_of(20);
  turn.flags = wire::kSharePrefix;
  second.ask(0, prompt, turn);
  run_turn(worker, 1);
  CHECK(second.record().header().result.reused_tokens == 30);
  CHECK(second.tokens() == undisturbed(manifest, set, prompt, turn_of(20)));
}

TEST_CASE("a program that samples by itself reads logits where they were written") {
  const Manifest manifest = toy_manifest({});
  for (const char* name : {"cached CPU fast", "cached NPU balanced", "window"}) {
    CAPTURE(name);
    const GraphSet set = graph_set(manifest, name);
    SharedBytes bytes(manifest, set.plan, 1);
    ToyWorker worker(manifest, set, bytes.arena);
    const Ids prompt = prompt_ids(20, 3);
    const Ids expected = undisturbed(manifest, set, prompt, turn_of(30));
    ToySession session(manifest, logit_rows_max(manifest, set.plan));
    REQUIRE(worker.runners[0]->attach(session.attached()));
    wire::Turn turn = turn_of(0);
    turn.logit_rows = 1;
    Ids next = prompt;
    std::set<uint32_t> steps;
    for (int token = 0; token < 30; ++token) {
      session.ask(session.record().point().tokens, next, turn);
      run_turn(worker, 0);
      REQUIRE(session.finish() == wire::Finish::kLength);
      const wire::LogitsPlace place = session.record().logits_place();
      REQUIRE(place.rows == 1);
      CHECK(steps.insert(place.step).second);
      const auto row = session.record().logits().subspan(
          size_t{place.first_row} * manifest.model.vocabulary, manifest.model.vocabulary);
      next = {static_cast<int32_t>(std::max_element(row.begin(), row.end()) - row.begin())};
      CHECK(next[0] == expected[20 + static_cast<size_t>(token)]);
    }
  }
}

TEST_CASE("a turn that cannot be is over, and says why") {
  const Manifest manifest = toy_manifest({});
  const GraphSet set = graph_set(manifest, "cached CPU balanced");
  SharedBytes bytes(manifest, set.plan, 1);
  ToyWorker worker(manifest, set, bytes.arena);
  ToySession session(manifest, 0);
  REQUIRE(worker.runners[0]->attach(session.attached()));
  wire::Turn turn = turn_of(5);
  turn.sampling.top_p = 7;
  session.ask(0, prompt_ids(5, 1), turn);
  run_turn(worker, 0);
  CHECK(session.finish() == wire::Finish::kFailed);
  const Error error = wire::error_of(session.record().header().result);
  CHECK(error.code == Code::kInvalidArgument);
  CHECK(error.message.find("top_p") != std::string::npos);

  session.ask(0, {}, turn_of(5));
  run_turn(worker, 0);
  CHECK(session.finish() == wire::Finish::kFailed);
  session.ask(0, prompt_ids(5, 1), turn_of(5));
  run_turn(worker, 0);
  CHECK(session.finish() == wire::Finish::kLength);
}

}  // namespace
}  // namespace ovenbird
