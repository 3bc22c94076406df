// A prompt that is computed without saying a token: the caller gets the logits it asked for.
#include <doctest/doctest.h>

#include "durable_bench.h"

namespace ovenbird {
namespace {

std::vector<std::string> all_graph_names() {
  std::vector<std::string> names = cache_graph_names();
  names.push_back("window");
  return names;
}

constexpr ToyBundle kSmall{.context = 96, .past = 96, .short_past = 48};

/// The logits behind each of the newest tokens.
std::vector<std::vector<float>> reference_rows(const PlanBench& bench, const Ids& tokens,
                                               size_t rows) {
  ReferenceView view = bench.view();
  std::vector<std::vector<float>> logits;
  for (size_t i = 0; i < tokens.size(); ++i) {
    view.push(tokens[i]);
    if (i + rows >= tokens.size()) logits.push_back(reference_logits(bench.model, view));
  }
  return logits;
}

/// Steps to the end; the rows of logits that the newest tokens were given.
std::vector<std::vector<float>> compute(PlanBench& bench, Session& session, size_t rows) {
  std::vector<std::vector<float>> logits;
  while (!session.is_computed()) {
    REQUIRE(session.step());
    const size_t computed = bench.plan->tokens();
    const size_t wanted_from = session.tokens().size() - rows;
    for (uint32_t row = 0; row < session.logits().rows; ++row) {
      if (computed - session.logits().rows + row < wanted_from) continue;
      const std::span<const float> values = session.logits().row(row);
      logits.emplace_back(values.begin(), values.end());
    }
  }
  return logits;
}

TEST_CASE("the newest tokens' logits are given, as many as are asked for, on every plan") {
  for (const std::string& graphs : all_graph_names()) {
    for (const size_t length : {8, 9, 40, 95, 97, 150}) {
      for (const uint32_t rows : {1u, 2u, 5u, 8u}) {
        CAPTURE(graphs);
        CAPTURE(length);
        CAPTURE(rows);
        PlanBench bench(kSmall, graphs);
        Session session = bench.session();
        const Ids prompt = random_ids(length, rows);
        REQUIRE(session.begin_unsaid(prompt, rows));
        CHECK(compute(bench, session, rows) == reference_rows(bench, prompt, rows));
        CHECK(session.tokens().size() == length);
        CHECK(bench.plan->tokens() == length);
      }
    }
  }
}

TEST_CASE("a draft of the caller's is one step where a graph gives as many rows") {
  for (const std::string graphs : {"cached CPU fast", "cached CPU lean", "cached NPU lean",
                                   "cached NPU fast", "dynamic", "window"}) {
    CAPTURE(graphs);
    PlanBench bench({}, graphs);
    Session session = bench.session();
    Ids tokens = random_ids(60, 1);
    REQUIRE(session.begin_unsaid(tokens, 1));
    compute(bench, session, 1);
    // The newest token and seven drafted ones, of which three are taken back.
    for (uint32_t turn = 0; turn < 5; ++turn) {
      tokens = joined(tokens, random_ids(8, turn));
      const size_t steps = bench.engine.steps().size();
      REQUIRE(session.begin_unsaid(tokens, 8));
      CHECK(compute(bench, session, 8) == reference_rows(bench, tokens, 8));
      CHECK(bench.engine.steps().size() == steps + 1);
      tokens.resize(tokens.size() - 3);
    }
  }
}

TEST_CASE("a prompt that is only wanted in the cache is not computed again") {
  PlanBench bench({}, "cached CPU balanced");
  Session session = bench.session();
  const Ids prompt = random_ids(200, 2);
  REQUIRE(session.begin_unsaid(prompt, 0));
  compute(bench, session, 0);
  const uint64_t given = bench.engine.tokens_given();
  CHECK(given == 200);

  REQUIRE(session.begin_unsaid(prompt, 0));
  CHECK(session.is_computed());
  CHECK(session.stats().reused_tokens == 200);
  REQUIRE(session.begin_unsaid(prompt, 1));
  CHECK_FALSE(session.is_computed());
  CHECK(compute(bench, session, 1) == reference_rows(bench, prompt, 1));
  CHECK(bench.engine.tokens_given() == given + 1);

  // And an answer to it needs its last token only.
  REQUIRE(session.prompt(prompt));
  CHECK(bench.engine.tokens_given() == given + 2);
  CHECK(say(session, 20) == reference_answer(bench.model, bench.view(), prompt, 20));
}

TEST_CASE("a session that steps gives the logits that each token was chosen from") {
  for (const std::string& graphs : all_graph_names()) {
    CAPTURE(graphs);
    PlanBench bench(kSmall, graphs);
    Session session = bench.session();
    const Ids prompt = random_ids(50, 3);
    CHECK(session.logits().rows == 0);
    REQUIRE(session.begin(prompt));
    CHECK_FALSE(session.is_computed());
    while (!session.is_computed()) REQUIRE(session.step());
    CHECK(session.tokens().size() == 51);
    ReferenceView view = bench.view();
    view.push(prompt);
    for (int token = 0; token < 80; ++token) {
      REQUIRE(session.logits().rows == 1);
      CHECK(std::ranges::equal(session.logits().row(0), reference_logits(bench.model, view)));
      view.push(session.tokens().back());
      REQUIRE(session.step());
    }
    CHECK(session.stats().decode_steps == 80);
    CHECK(Ids(session.tokens().begin() + 50, session.tokens().end()) ==
          reference_answer(bench.model, bench.view(), prompt, 81));
  }
}

TEST_CASE("more rows than there are tokens, or than eight, are refused") {
  PlanBench bench({}, "cached CPU fast");
  Session session = bench.session();
  for (const uint32_t rows : {4u, 9u, ~0u}) {
    const Status refused = session.begin_unsaid(random_ids(rows == 4 ? 3 : 20, 1), rows);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::kInvalidArgument);
  }
  CHECK_FALSE(session.begin_unsaid({}, 0));
  CHECK(session.tokens().empty());
}

TEST_CASE("a failed step gives no logits and is made again") {
  PlanBench bench({}, "cached CPU fast");
  Session session = bench.session();
  const Ids prompt = random_ids(20, 4);
  REQUIRE(session.begin_unsaid(prompt, 1));
  bench.engine.fail_after(1);
  REQUIRE_FALSE(session.step());
  CHECK(session.logits().rows == 0);
  CHECK(compute(bench, session, 1) == reference_rows(bench, prompt, 1));
}

TEST_CASE("a prompt without an answer goes on in another process, rows of logits too") {
  for (const std::string& graphs : all_graph_names()) {
    CAPTURE(graphs);
    const Ids prompt = random_ids(150, 5);
    const Durable durable(kSmall, graphs);
    std::vector<FakeEngine::Step> wanted;
    {
      const Durable other(kSmall, graphs);
      DurableWorker worker(other, {});
      REQUIRE(worker.session->begin_unsaid(prompt, 6));
      while (!worker.session->is_computed()) REQUIRE(worker.session->step());
      wanted = worker.engine.steps();
    }
    KeptRecord record{.tokens = prompt, .prompt_tokens = prompt.size()};
    for (const FakeEngine::Step& step : wanted) {
      DurableWorker worker(durable, {});
      worker.resume(record, 6);
      CHECK_FALSE(worker.session->is_computed());
      REQUIRE(worker.session->step());
      CHECK(is_same_step(worker.engine.steps().back(), step));
      record = worker.record();
    }
    DurableWorker worker(durable, {});
    worker.resume(record, 6);
    CHECK(worker.session->is_computed());
    // The same, resumed for an answer.
    worker.resume(record);
    const ToyModel model(durable.manifest);
    ReferenceView view = graphs == "window" ? ReferenceView::window(96) : ReferenceView::cache(96);
    CHECK(say(*worker.session, 9) == reference_answer(model, view, prompt, 9));
  }
}

}  // namespace
}  // namespace ovenbird
