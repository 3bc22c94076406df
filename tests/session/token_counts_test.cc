// TokenCounts: after any pushes and pops it says what a plain recount of the tokens says.
#include "session/token_counts.h"

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include <doctest/doctest.h>

#include "allocation_counter.h"

namespace ovenbird {
namespace {

constexpr uint32_t kVocabulary = 12;

std::map<int32_t, uint32_t> recount(std::span<const int32_t> tokens) {
  std::map<int32_t, uint32_t> counts;
  for (const int32_t id : tokens) ++counts[id];
  return counts;
}

void check_equal(const TokenCounts& counts, const std::vector<int32_t>& tokens, size_t answer) {
  REQUIRE(std::ranges::equal(counts.tokens(), tokens));
  std::map<int32_t, uint32_t> all = recount(tokens);
  std::map<int32_t, uint32_t> said = recount(std::span(tokens).subspan(answer));
  REQUIRE(counts.distinct().size() == all.size());
  for (const int32_t id : counts.distinct()) REQUIRE(all.contains(id));
  for (int32_t id = 0; id < static_cast<int32_t>(kVocabulary); ++id) {
    REQUIRE(counts.in_history(id) == all[id]);
    REQUIRE(counts.in_answer(id) == said[id]);
  }
}

TEST_CASE("the prompt counts for the history only, the answer for both") {
  TokenCounts counts(kVocabulary);
  counts.push(3);
  counts.push(3);
  counts.start_answer();
  counts.push(3);
  counts.push(5);

  CHECK(counts.in_history(3) == 3);
  CHECK(counts.in_answer(3) == 1);
  CHECK(counts.in_history(5) == 1);
  CHECK(counts.in_answer(5) == 1);
  CHECK(counts.in_history(0) == 0);
}

TEST_CASE("pop takes back the newest token, and at last the prompt's") {
  TokenCounts counts(kVocabulary);
  counts.push(3);
  counts.start_answer();
  counts.push(3);

  counts.pop();
  CHECK(counts.in_history(3) == 1);
  CHECK(counts.in_answer(3) == 0);
  counts.pop();
  CHECK(counts.in_history(3) == 0);
  CHECK(counts.in_answer(3) == 0);
  CHECK(counts.distinct().empty());
}

TEST_CASE("random pushes, pops, cuts and answers agree with a recount") {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    TokenCounts counts(kVocabulary);
    std::vector<int32_t> tokens;
    size_t answer = 0;
    for (int step = 0; step < 60; ++step) {
      const auto action = random() % 10;
      if (action < 6) {
        const auto id = static_cast<int32_t>(random() % kVocabulary);
        counts.push(id);
        tokens.push_back(id);
      } else if (action < 8 && !tokens.empty()) {
        counts.pop();
        tokens.pop_back();
      } else if (action == 8) {
        const size_t left = random() % (tokens.size() + 3);
        counts.truncate(left);
        tokens.resize(std::min(left, tokens.size()));
      } else if (action == 9) {
        counts.start_answer();
        answer = tokens.size();
      }
      answer = std::min(answer, tokens.size());
      check_equal(counts, tokens, answer);
    }
  }
}

TEST_CASE("within what was reserved nothing is allocated") {
  TokenCounts counts(kVocabulary);
  counts.reserve(100);

  const size_t before = allocations_so_far();
  for (int32_t i = 0; i < 100; ++i) counts.push(i % 12);
  counts.truncate(50);
  counts.start_answer();
  for (int32_t i = 0; i < 50; ++i) counts.push(i % 12);

  CHECK(allocations_so_far() == before);
}

}  // namespace
}  // namespace ovenbird
