// Plans over a cache: the same text on every device's graphs, whatever the lengths.
#include "session/cache_plan.h"

#include <doctest/doctest.h>

#include "plan_bench.h"

namespace ovenbird {
namespace {

/// Checks the answer to a random prompt, and gives the engine's steps.
void check_answer(const ToyBundle& toy, const std::string& graphs, size_t length, size_t answer) {
  CAPTURE(graphs);
  CAPTURE(length);
  PlanBench bench(toy, graphs);
  Session session = bench.session();
  const Ids prompt = random_ids(length, uint32_t(length));
  REQUIRE(session.prompt(prompt));
  CHECK(say(session, answer) == reference_answer(bench.model, bench.view(), prompt, answer));
  CHECK(bench.engine.tokens_given() == length + answer - 1);
}

TEST_CASE("every recipe's graphs give the model's text, for prompts of every length") {
  for (const std::string& graphs : cache_graph_names()) {
    for (const size_t length : {1, 2, 7, 8, 9, 31, 32, 33, 127, 128, 129, 255, 256, 257}) {
      check_answer({}, graphs, length, 12);
    }
  }
}

TEST_CASE("every recipe's graphs give the model's text around the short past's end") {
  for (const std::string& graphs : cache_graph_names()) {
    for (const size_t length : {500, 503, 504, 505, 510, 511, 512, 513, 520, 640}) {
      check_answer({}, graphs, length, 16);
    }
  }
}

TEST_CASE("every recipe's graphs give the model's text around the cache's end") {
  for (const std::string& graphs : cache_graph_names()) {
    for (const size_t length : {1000, 1015, 1016, 1017, 1023, 1024, 1025, 1026}) {
      check_answer({}, graphs, length, 20);
    }
  }
}

TEST_CASE("a prompt that is longer than the cache leaves its first and its newest tokens") {
  for (const std::string& graphs : cache_graph_names()) {
    for (const size_t length : {1500, 1534, 1535, 2047, 3001}) check_answer({}, graphs, length, 9);
  }
}

TEST_CASE("an f32 cache gives the same text as an f16 one") {
  check_answer({.cache_type = CacheType::kF32}, "cached CPU fast", 1020, 700);
  check_answer({.cache_type = CacheType::kF16}, "cached CPU fast", 1020, 700);
}

TEST_CASE("rows are dropped again and again, and the text is that of what stays") {
  for (const std::string& graphs : cache_graph_names()) {
    check_answer({.context = 64, .past = 64, .short_past = 32}, graphs, 10, 400);
    check_answer({.context = 61, .past = 61, .short_past = 0}, graphs, 70, 400);
  }
  check_answer({}, "cached CPU balanced", 900, 2500);
}

TEST_CASE("a cache of a few rows neither loops nor fails") {
  for (const std::string& graphs : cache_graph_names()) {
    for (uint32_t past = 1; past <= 9; ++past) {
      CAPTURE(past);
      for (const size_t length : {1, 2, 5, 20}) {
        check_answer({.context = past, .past = past, .short_past = 0}, graphs, length, 30);
      }
    }
  }
}

TEST_CASE("a context that is shorter than the graphs' past bounds the positions") {
  for (const std::string& graphs : cache_graph_names()) {
    for (uint32_t context = 1; context <= 8; ++context) {
      CAPTURE(context);
      for (const size_t length : {1, 3, 20}) {
        check_answer({.context = context, .past = 16, .short_past = 0}, graphs, length, 30);
      }
    }
    check_answer({.context = 700, .past = 1024, .short_past = 512}, graphs, 690, 500);
  }
}

TEST_CASE("the dynamic plan's past grows with the conversation") {
  PlanBench bench({}, "dynamic");
  Session session = bench.session();
  REQUIRE(session.prompt(random_ids(10, 1)));
  say(session, 600);

  uint32_t past = 0;
  for (const FakeEngine::Step& step : bench.engine.steps()) {
    CHECK(step.past >= past);
    CHECK(step.past <= step.seen + 512);
    past = step.past;
  }
  CHECK(past >= 600);
}

TEST_CASE("a short conversation after a long one reads a short past again") {
  for (const std::string graphs : {"dynamic", "cached CPU lean"}) {
    CAPTURE(graphs);
    PlanBench bench({}, graphs);
    Session session = bench.session();
    REQUIRE(session.prompt(random_ids(1000, 1)));
    say(session, 5);
    const Ids prompt = random_ids(40, 2);

    REQUIRE(session.prompt(prompt));

    CHECK(say(session, 20) == reference_answer(bench.model, bench.view(), prompt, 20));
    CHECK(bench.engine.steps().back().past <= 256);
  }
}

TEST_CASE("a step of more tokens than are wanted costs no less than one of them") {
  for (const std::string& graphs : cache_graph_names()) {
    CAPTURE(graphs);
    PlanBench bench({}, graphs);
    CHECK(bench.plan->relative_cost(1) >= 1);
    CHECK(bench.plan->relative_cost(8) >= bench.plan->relative_cost(1));
    // Where no graph gives several rows, eight tokens are eight steps.
    if (bench.plan->chunk(8, LogitRows::kAll) == 1) CHECK(bench.plan->relative_cost(8) >= 8);
  }
}

}  // namespace
}  // namespace ovenbird
