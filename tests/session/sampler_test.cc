// Sampler: greedy and drawn choices, broken rows, and a plain implementation that sorts the row.
#include "session/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include <doctest/doctest.h>

#include "allocation_counter.h"
#include "logit_rows.h"
#include "session/row_passes.h"

namespace ovenbird {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Result<int32_t> sample_once(const SamplingOptions& options, const std::vector<float>& logits) {
  const auto vocabulary = static_cast<uint32_t>(logits.size());
  return Sampler(options, vocabulary).sample(logits, TokenCounts(vocabulary), 0);
}

TEST_CASE("greedy takes the best token, and of equals the lowest id") {
  CHECK(*sample_once({}, {0, 3, 1}) == 1);
  CHECK(*sample_once({}, {0, 3, 1, 3}) == 1);
  CHECK(*sample_once({}, {-kInf, -5, -kInf}) == 1);
  std::vector<float> logits(1000, -1.0f);
  logits[999] = 0;
  CHECK(*sample_once({}, logits) == 999);
  logits[640] = 0;
  CHECK(*sample_once({}, logits) == 640);
}

TEST_CASE("greedy heeds bias and penalties") {
  const std::vector<float> logits = {1.0f, 2.0f, 1.9f};
  TokenCounts history(3);
  history.push(1);
  history.start_answer();
  Sampler plain({}, 3);
  Sampler repeating({.repetition_penalty = 1.2f}, 3);
  Sampler present({.presence_penalty = 0.5f}, 3);
  Sampler biased({.logit_bias = {{0, 1.5f}}}, 3);

  CHECK(*plain.sample(logits, history, 0) == 1);
  CHECK(*repeating.sample(logits, history, 0) == 2);
  CHECK(*present.sample(logits, history, 0) == 1);  // token 1 stands in the prompt only
  CHECK(*biased.sample(logits, history, 0) == 0);
  history.push(1);
  CHECK(*present.sample(logits, history, 0) == 2);
}

TEST_CASE("a broken row is reported, whatever the options") {
  for (const float temperature : {0.0f, 0.7f}) {
    for (const int32_t top_k : {0, 2}) {
      const SamplingOptions options{.temperature = temperature, .top_k = top_k};
      std::vector<float> logits(100, 1.0f);
      logits[70] = kNan;
      const Result<int32_t> nan = sample_once(options, logits);
      REQUIRE(!nan);
      CHECK(nan.error().code == Code::kBadOutput);
      CHECK(nan.error().message ==
            "sample position 0: of 100 logits token 70 has NaN; the device computed nonsense, "
            "try another --device");

      logits[70] = kInf;
      CHECK(sample_once(options, logits).error().message.find("token 70 has inf") !=
            std::string::npos);
      CHECK(sample_once(options, std::vector<float>(100, -kInf))
                .error()
                .message.find("no token has a finite one") != std::string::npos);
    }
  }
}

TEST_CASE("a forbidden token is never drawn") {
  const std::vector<float> logits = {-kInf, 1.0f, -kInf, 1.0f, -kInf};
  for (const SamplingOptions& options :
       {SamplingOptions{.temperature = 1}, SamplingOptions{.temperature = 1, .top_k = 4},
        SamplingOptions{.temperature = 1, .top_p = 0.99f}}) {
    Sampler sampler(options, 5);
    const TokenCounts history(5);
    for (uint64_t position = 0; position < 1000; ++position) {
      const int32_t id = *sampler.sample(logits, history, position);
      REQUIRE((id == 1 || id == 3));
    }
  }
}

TEST_CASE("the draw depends on seed and position, not on what was drawn before") {
  const std::vector<float> logits = make_logit_row(1000, 5);
  const TokenCounts history(1000);
  const SamplingOptions options{.temperature = 1.5f, .top_p = 0.95f, .seed = 11};
  Sampler first(options, 1000);
  std::vector<int32_t> drawn;
  for (uint64_t position = 0; position < 50; ++position) {
    drawn.push_back(*first.sample(logits, history, position));
  }

  Sampler resumed(options, 1000);
  for (uint64_t position = 50; position-- > 20;) {
    CHECK(*resumed.sample(logits, history, position) == drawn[position]);
  }
  CHECK(std::ranges::count(drawn, drawn[0]) < 50);
}

void check_draws_follow_distribution(const SamplingOptions& options) {
  constexpr int kDraws = 40'000;
  const std::vector<float> logits = make_logit_row(100, 6);
  const TokenCounts history(100);
  Sampler sampler(options, 100);
  std::vector<int> drawn(100);
  for (uint64_t position = 0; position < kDraws; ++position) {
    ++drawn[*sampler.sample(logits, history, position)];
  }

  std::vector<double> expected(100);
  const auto distribution = sampler.distribution(logits, history);
  REQUIRE(distribution);
  for (const Sampler::Candidate& candidate : *distribution) {
    expected[candidate.id] = candidate.probability;
  }
  for (size_t id = 0; id < 100; ++id) {
    const double deviation = std::sqrt(kDraws * expected[id] * (1 - expected[id]));
    CHECK(std::abs(drawn[id] - kDraws * expected[id]) <= 5 * deviation + 1);
  }
}

TEST_CASE("many draws follow the distribution") {
  check_draws_follow_distribution({.temperature = 2.0f});
  check_draws_follow_distribution({.temperature = 2.0f, .top_k = 10, .top_p = 0.9f});
}

TEST_CASE("exp_nonpositive agrees with std::exp") {
  for (float x = -86.9f; x <= 0; x += 0.0137f) {
    const double exact = std::exp(double{x});
    REQUIRE(std::abs(exp_nonpositive(x) - exact) <= 2e-7 * exact);
  }
  CHECK(exp_nonpositive(0.0f) == 1.0f);
  CHECK(exp_nonpositive(-0.0f) == 1.0f);
  CHECK(exp_nonpositive(-kInf) == 0.0f);
  CHECK(exp_nonpositive(-1e30f) == 0.0f);
}

/// The filters as their definitions say: sort everything, then cut.
std::vector<Sampler::Candidate> filter_by_sorting(const std::vector<float>& logits,
                                                  const SamplingOptions& options) {
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::ranges::stable_sort(ids, [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
  const auto top_k = static_cast<size_t>(options.top_k);
  if (top_k > 0 && top_k < ids.size()) {
    const float kth = logits[ids[top_k - 1]];
    std::erase_if(ids, [&](int32_t id) { return logits[id] < kth; });
  }
  const auto weight = [&](int32_t id) {
    return std::exp((double{logits[id]} - logits[ids[0]]) / options.temperature);
  };
  double total = 0;
  for (const int32_t id : ids) total += weight(id);
  double above = 0;
  size_t count = 0;
  while (count < ids.size() && (count == 0 || above < options.top_p * total)) {
    above += weight(ids[count++]);
  }
  if (options.top_p < 1) ids.resize(count);
  // e^-87 is where float's normal numbers end; what is below counts as 0.
  const double least = std::max<double>(options.min_p, std::exp(-87.0));
  std::erase_if(ids, [&](int32_t id) { return weight(id) < least; });
  std::vector<Sampler::Candidate> kept;
  total = 0;
  for (const int32_t id : ids) total += weight(id);
  for (const int32_t id : ids) kept.push_back({id, weight(id) / total});
  std::ranges::sort(kept, {}, &Sampler::Candidate::id);
  return kept;
}

TEST_CASE("partial selection keeps what a full sort keeps, for random options and rows") {
  std::mt19937 random(3);
  const auto pick = [&](std::initializer_list<float> values) {
    return values.begin()[random() % values.size()];
  };
  for (int round = 0; round < 600; ++round) {
    const auto vocabulary = static_cast<uint32_t>(1 + random() % (round % 10 == 0 ? 9000 : 300));
    const std::vector<float> logits =
        make_logit_row(vocabulary, random(), random() % 2 == 0 ? 14 : 0);
    const SamplingOptions options{
        .temperature = pick({0.25f, 1.0f, 4.0f}),
        .top_k = random() % 2 == 0 ? 0 : static_cast<int32_t>(random() % (vocabulary + 10)),
        .top_p = pick({0.0f, 0.317f, 0.883f, 0.9973f, 1.0f, 1.0f}),
        .min_p = pick({0.0f, 0.0f, 0.00771f, 0.2113f, 1.0f})};
    CAPTURE(round);
    Sampler sampler(options, vocabulary);

    const auto kept = sampler.distribution(logits, TokenCounts(vocabulary));

    const std::vector<Sampler::Candidate> expected = filter_by_sorting(logits, options);
    REQUIRE(kept);
    REQUIRE(kept->size() == expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      REQUIRE((*kept)[i].id == expected[i].id);
      REQUIRE(std::abs((*kept)[i].probability - expected[i].probability) < 1e-6);
    }
  }
}

TEST_CASE("sampling allocates nothing") {
  const std::vector<float> logits = make_logit_row(5000, 8);
  TokenCounts history(5000);
  for (int32_t id = 0; id < 100; ++id) history.push(id);
  const SamplingOptions filtered{.temperature = 1,
                                 .top_k = 300,
                                 .top_p = 0.9f,
                                 .min_p = 0.01f,
                                 .repetition_penalty = 1.1f,
                                 .logit_bias = {{3, 1.0f}}};
  for (const SamplingOptions& options :
       {SamplingOptions{}, SamplingOptions{.temperature = 1},
        SamplingOptions{.temperature = 50, .top_p = 0.999f}, filtered}) {
    Sampler sampler(options, 5000);

    const size_t before = allocations_so_far();
    for (uint64_t position = 0; position < 20; ++position) {
      CHECK(sampler.sample(logits, history, position));
    }
    const size_t after = allocations_so_far();

    CHECK(after - before == 0);
  }
}

}  // namespace
}  // namespace ovenbird
