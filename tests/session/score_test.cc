// Scoring: the same numbers as from the model's own logits, on every plan.
#include "session/score.h"

#include <cmath>

#include <doctest/doctest.h>

#include "plan_bench.h"

namespace ovenbird {
namespace {

bool always() { return true; }

/// From logits in double, the plain way.
std::vector<double> reference_score(const ToyModel& model, ReferenceView view, const Ids& tokens) {
  std::vector<double> result;
  for (size_t i = 0; i + 1 < tokens.size(); ++i) {
    view.push(tokens[i]);
    double sum = 0;
    const std::vector<float> logits = reference_logits(model, view);
    for (const float logit : logits) sum += std::exp(double(logit));
    result.push_back(logits[tokens[i + 1]] - std::log(sum));
  }
  return result;
}

void check_score(const ToyBundle& toy, const std::string& graphs, size_t length) {
  CAPTURE(graphs);
  CAPTURE(length);
  PlanBench bench(toy, graphs);
  const Ids tokens = random_ids(length, uint32_t(length));

  const Result<std::vector<double>> scored = score(*bench.plan, tokens, 64, always);

  REQUIRE(scored);
  const std::vector<double> wanted = reference_score(bench.model, bench.view(), tokens);
  REQUIRE(scored->size() == length - 1);
  for (size_t i = 0; i < wanted.size(); ++i) {
    CHECK((*scored)[i] == doctest::Approx(wanted[i]).epsilon(1e-9));
  }
  const bool is_window = graphs == "window";
  if (!is_window) CHECK(bench.engine.tokens_given() == length - 1);
}

TEST_CASE("a text's score is the reference's on every plan and recipe") {
  std::vector<std::string> names = cache_graph_names();
  names.push_back("window");
  for (const std::string& graphs : names) {
    for (const size_t length : {2, 3, 8, 9, 10, 129, 130}) check_score({}, graphs, length);
    check_score({}, graphs, 530);
    check_score({.context = 96, .past = 96, .short_past = 48}, graphs, 400);
  }
}

TEST_CASE("a text is scored in as few steps as the graphs allow") {
  PlanBench bench({}, "cached CPU score");
  REQUIRE(score(*bench.plan, random_ids(801, 1), 64, always));
  CHECK(bench.engine.steps().size() == 100);
}

TEST_CASE("a text of one token, or with an unknown one, has no score") {
  PlanBench bench({}, "cached CPU score");
  for (const Ids& wrong : {Ids{}, Ids{1}, Ids{1, 64}, Ids{-1, 1}}) {
    const Result<std::vector<double>> refused = score(*bench.plan, wrong, 64, always);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::kInvalidArgument);
  }
  CHECK(bench.engine.steps().empty());
}

TEST_CASE("scoring stops when it is told to") {
  PlanBench bench({}, "cached CPU score");
  int asked = 0;
  const Result<std::vector<double>> stopped =
      score(*bench.plan, random_ids(100, 1), 64, [&] { return ++asked < 4; });
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().code == Code::kInterrupted);
  CHECK(bench.engine.steps().size() == 3);
}

TEST_CASE("a step that fails and logits that are no numbers are told") {
  for (const bool is_spoilt : {false, true}) {
    PlanBench bench({}, "cached CPU score");
    if (is_spoilt) {
      bench.engine.spoil_logits_after(2);
    } else {
      bench.engine.fail_after(4);
    }
    const Result<std::vector<double>> failed = score(*bench.plan, random_ids(100, 1), 64, always);
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == (is_spoilt ? Code::kBadOutput : Code::kDeviceLost));
  }
}

}  // namespace
}  // namespace ovenbird
