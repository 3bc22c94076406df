// Scoring: every row's logits, as many rows a step as the plan gives.
#include "session/score.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/check.h"

namespace ovenbird {
namespace {

double log_probability(std::span<const float> logits, int32_t id) {
  const float best = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(double(logit) - best);
  return double(logits[static_cast<size_t>(id)]) - best - std::log(sum);
}

}  // namespace

Result<std::vector<double>> score(Plan& plan, std::span<const int32_t> tokens, uint32_t vocabulary,
                                  const std::function<bool()>& go_on) {
  OVENBIRD_CHECK(plan.tokens() == 0);
  if (tokens.size() < 2) {
    return fail(Code::kInvalidArgument,
                "score: at least 2 tokens are needed; there are " + std::to_string(tokens.size()));
  }
  const auto outside = [&](int32_t id) { return id < 0 || uint32_t(id) >= vocabulary; };
  if (const auto bad = std::find_if(tokens.begin(), tokens.end(), outside); bad != tokens.end()) {
    return fail(Code::kInvalidArgument, "score: token id " + std::to_string(*bad) +
                                            "; the vocabulary has ids 0 to " +
                                            std::to_string(vocabulary - 1));
  }
  std::vector<double> result;
  result.reserve(tokens.size() - 1);
  size_t first = 0;
  while (first + 1 < tokens.size()) {
    if (!go_on()) return fail(Code::kInterrupted, "score: interrupted");
    const auto left = static_cast<uint32_t>(tokens.size() - 1 - first);
    const uint32_t count = plan.chunk(left, LogitRows::kAll);
    const Result<Logits> logits = plan.step(tokens.subspan(first, count), LogitRows::kAll);
    if (!logits) return Failure{logits.error()};
    for (uint32_t row = 0; row < count; ++row) {
      result.push_back(log_probability(logits->row(row), tokens[first + row + 1]));
      if (!std::isnan(result.back())) continue;
      return fail(Code::kBadOutput, "score position " + std::to_string(first + row + 1) +
                                        ": not a number; the device computed nonsense, try "
                                        "another --device");
    }
    plan.commit(count);
    first += count;
  }
  return result;
}

}  // namespace ovenbird
