// The token loop takes nothing from the heap.
#include <doctest/doctest.h>

#include "allocation_counter.h"
#include "plan_bench.h"
#include "session/session.h"

namespace ovenbird {
namespace {

void check_allocates_nothing(const std::string& graphs, const SessionOptions& options) {
  CAPTURE(graphs);
  CAPTURE(options.drafts);
  PlanBench bench({.vocabulary = 24}, graphs);
  Session session = bench.session(options);
  REQUIRE(session.prompt(random_ids(100, 1, 24)));
  say(session, 20);  // graphs are bound, and scratch grows to its size
  const bool drafts_cost_nothing = graphs == "cached NPU lean";
  if (drafts_cost_nothing && options.drafts) REQUIRE(session.stats().drafted_tokens > 0);

  const size_t before = allocations_so_far();
  for (int token = 0; token < 250; ++token) {
    const Result<int32_t> id = session.next();
    if (!id) FAIL("next() failed");
  }
  CHECK(allocations_so_far() == before);
}

TEST_CASE("saying a token allocates nothing, with and without drafts, greedy or drawn") {
  std::vector<std::string> names = cache_graph_names();
  names.push_back("window");
  for (const std::string& graphs : names) {
    for (const bool drafts : {false, true}) {
      check_allocates_nothing(graphs, {.drafts = drafts});
      check_allocates_nothing(
          graphs, {.sampling = {.temperature = 0.7f, .top_k = 10, .top_p = 0.9f, .seed = 3},
                   .drafts = drafts});
    }
  }
}

}  // namespace
}  // namespace ovenbird
