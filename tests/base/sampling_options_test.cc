// SamplingOptions: both ends of every range are accepted, and what lies beyond is named.
#include "base/sampling_options.h"

#include <limits>
#include <string>

#include <doctest/doctest.h>

#include "base/limits.h"

namespace ovenbird {
namespace {

constexpr uint32_t kVocabulary = 100;

std::string refusal(const SamplingOptions& options) {
  const Status checked = options.validate(kVocabulary);
  if (checked) return "";
  CHECK(checked.error().code == Code::kInvalidArgument);
  return checked.error().message;
}

TEST_CASE("the ends of the ranges are accepted") {
  CHECK(refusal({}) == "");
  CHECK(refusal({.temperature = 100, .top_p = 0, .min_p = 1, .repetition_penalty = 100}) == "");
  CHECK(refusal({.temperature = 1e-6f, .top_k = 1 << 30, .repetition_penalty = 0.01f}) == "");
  CHECK(refusal({.presence_penalty = 2, .frequency_penalty = -2}) == "");
  CHECK(refusal({.logit_bias = {{0, -100.0f}, {99, 100.0f}}}) == "");
}

TEST_CASE("what is out of range is refused with the range") {
  CHECK(refusal({.temperature = -1}) ==
        "set temperature -1.000000; accepted: 0 (greedy), or 0.000001 to 100");
  CHECK(refusal({.temperature = 1e-7f}).starts_with("set temperature 0.000000; accepted"));
  CHECK(refusal({.temperature = 101}).starts_with("set temperature"));
  CHECK(refusal({.top_k = -1}) == "set top_k -1; accepted: 0 (off) or more");
  CHECK(refusal({.top_p = 1.5f}) == "set top_p 1.500000; accepted: 0 to 1 (off)");
  CHECK(refusal({.top_p = -0.1f}).starts_with("set top_p"));
  CHECK(refusal({.min_p = 1.5f}) == "set min_p 1.500000; accepted: 0 (off) to 1");
  CHECK(refusal({.repetition_penalty = 0}) ==
        "set repetition_penalty 0.000000; accepted: 0.01 to 100 (1 = off)");
  CHECK(refusal({.presence_penalty = 2.5f}).starts_with("set presence_penalty 2.500000; "));
  CHECK(refusal({.frequency_penalty = -2.5f}).starts_with("set frequency_penalty -2.500000; "));
}

TEST_CASE("a number that is none is refused everywhere") {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  CHECK(refusal({.temperature = kNan}) != "");
  CHECK(refusal({.top_p = kNan}) != "");
  CHECK(refusal({.min_p = kNan}) != "");
  CHECK(refusal({.repetition_penalty = kNan}) != "");
  CHECK(refusal({.presence_penalty = kNan}) != "");
  CHECK(refusal({.frequency_penalty = kNan}) != "");
  CHECK(refusal({.logit_bias = {{1, kNan}}}) != "");
}

TEST_CASE("a bias must name a token of the vocabulary and stay in its range") {
  CHECK(refusal({.logit_bias = {{100, 1.0f}}}) ==
        "set logit_bias for token 100; accepted: tokens 0 to 99");
  CHECK(refusal({.logit_bias = {{-1, 1.0f}}}) ==
        "set logit_bias for token -1; accepted: tokens 0 to 99");
  CHECK(refusal({.logit_bias = {{7, 100.5f}}}) ==
        "set logit_bias of token 7 100.500000; accepted: -100 to 100");
}

TEST_CASE("the number of biases is limited") {
  SamplingOptions options;
  for (size_t id = 0; id < limits::kLogitBiasEntriesMax; ++id) {
    options.logit_bias[static_cast<int32_t>(id)] = 1;
  }
  CHECK(options.validate(10'000));

  options.logit_bias[9'999] = 1;
  CHECK(options.validate(10'000).error().message ==
        "set logit_bias with 1025 entries; accepted: at most 1024");
}

}  // namespace
}  // namespace ovenbird
