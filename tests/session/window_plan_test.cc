// The window plan: the newest tokens and nothing else, for ever.
#include "session/window_plan.h"

#include <doctest/doctest.h>

#include "plan_bench.h"

namespace ovenbird {
namespace {

constexpr ToyBundle kToy{.past = 512, .short_past = 0};

TEST_CASE("the window plan says what the model says of the newest 128 tokens, at every length") {
  for (const size_t length : {1, 2, 7, 127, 128, 129, 255, 256, 257, 1000}) {
    CAPTURE(length);
    PlanBench bench(kToy, "window");
    Session session = bench.session();
    const Ids prompt = random_ids(length, 3);

    REQUIRE(session.prompt(prompt));

    CHECK(say(session, 40) == reference_answer(bench.model, bench.view(), prompt, 40));
  }
}

TEST_CASE("the window plan slides for ever, beyond what the model was trained on") {
  PlanBench bench(kToy, "window");
  Session session = bench.session();
  const Ids prompt = random_ids(5, 4);
  REQUIRE(session.prompt(prompt));
  CHECK(say(session, 2500) == reference_answer(bench.model, bench.view(), prompt, 2500));
}

TEST_CASE("a prompt of any length is one step of the window plan") {
  PlanBench bench(kToy, "window");
  Session session = bench.session();
  REQUIRE(session.prompt(random_ids(1000, 5)));
  CHECK(bench.engine.steps().size() == 1);
}

TEST_CASE("the window plan gives a row for each token until it slides, and then one a step") {
  PlanBench bench(kToy, "window");
  const Ids tokens = random_ids(140, 6);
  CHECK(bench.plan->chunk(140, LogitRows::kAll) == 128);
  REQUIRE(bench.plan->step(std::span(tokens).first(100), LogitRows::kAll));
  bench.plan->commit(100);
  CHECK(bench.plan->chunk(140, LogitRows::kAll) == 28);
  const Result<Logits> logits =
      bench.plan->step(std::span(tokens).subspan(100, 28), LogitRows::kAll);
  REQUIRE(logits);
  CHECK(logits->rows == 28);
  bench.plan->commit(28);
  CHECK(bench.plan->chunk(140, LogitRows::kAll) == 1);
}

TEST_CASE("the window plan keeps any beginning of a conversation, however long it was") {
  PlanBench bench(kToy, "window");
  Session session = bench.session();
  const Ids first = random_ids(700, 7);
  REQUIRE(session.prompt(first));
  say(session, 20);
  const Ids second = joined(Ids(first.begin(), first.begin() + 300), random_ids(9, 8));

  REQUIRE(session.prompt(second));

  CHECK(session.stats().reused_tokens == 300);
  CHECK(say(session, 30) == reference_answer(bench.model, bench.view(), second, 30));
}

}  // namespace
}  // namespace ovenbird
