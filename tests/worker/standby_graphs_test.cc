// A standby has the graphs compiled that the conversations of others need. Method: their lengths
// are written into the slots' headers, and the fake engine is asked what it holds.
#include "worker/standby_graphs.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "worker_bench.h"

namespace ovenbird {
namespace {

constexpr uint32_t kShortPast = 512;
constexpr uint32_t kLongPast = 1024;

/// A standby for as many slots as there are lengths of conversations.
class Standby {
 public:
  explicit Standby(std::vector<uint32_t> lengths)
      : lengths_(std::move(lengths)),
        bytes_(manifest_, set_.plan, static_cast<uint32_t>(lengths_.size())),
        worker_(manifest_, set_, bytes_.arena) {
    Result<StandbyGraphs> made = StandbyGraphs::create(worker_.model);
    REQUIRE(made);
    graphs_ = std::move(*made);
  }

  void follow() {
    for (uint32_t slot = 0; slot < lengths_.size(); ++slot) {
      bytes_.arena.slot_header(slot).tokens.store(lengths_[slot]);
    }
    graphs_->follow(bytes_.arena);
  }

  /// Nothing is to be kept for anybody from now on.
  void take_over() { graphs_.reset(); }

  /// Whether the graph is compiled that says tokens over such a past.
  bool has(uint32_t past) const {
    const auto& graphs = worker_.engine.graphs();
    const auto found = std::find_if(graphs.begin(), graphs.end(), [&](const GraphInfo& graph) {
      return graph.width == 1 && graph.past == past;
    });
    REQUIRE(found != graphs.end());
    return worker_.engine.is_held(static_cast<size_t>(found - graphs.begin()));
  }

 private:
  const std::vector<uint32_t> lengths_;
  const Manifest manifest_ = toy_manifest({.past = kLongPast, .short_past = kShortPast});
  const GraphSet set_ = graph_set(manifest_, "cached CPU balanced");
  const SharedBytes bytes_;
  ToyWorker worker_;
  std::optional<StandbyGraphs> graphs_;
};

TEST_CASE("a standby begins with the graphs of a short conversation, and they have run") {
  const Standby standby({0});
  CHECK(standby.has(kShortPast));
  CHECK_FALSE(standby.has(kLongPast));
}

TEST_CASE("a standby has what the conversations of others go on with") {
  struct Case {
    std::vector<uint32_t> lengths;
    bool has_short;
    bool has_long;
  };
  for (const Case& tried : {Case{{0}, true, false},          // nobody is there
                            Case{{380}, true, false},        // there is room
                            Case{{390}, true, true},         // three quarters are used
                            Case{{600}, false, true},        // the short one is outgrown
                            Case{{100, 600}, true, true},    // each needs another one
                            Case{{0, 600, 0}, false, true},  // empty slots need none
                            Case{{5000}, false, true}}) {    // rows have been dropped
    CAPTURE(tried.lengths[0]);
    Standby standby(tried.lengths);
    standby.follow();
    CHECK(standby.has(kShortPast) == tried.has_short);
    CHECK(standby.has(kLongPast) == tried.has_long);
    standby.take_over();
    CHECK(standby.has(kShortPast) == tried.has_short);
    CHECK(standby.has(kLongPast) == tried.has_long);
  }
}

TEST_CASE("a slot's header says how long its conversation is after each step") {
  const Manifest manifest = toy_manifest({});
  const GraphSet set = graph_set(manifest, "cached NPU balanced");
  const SharedBytes bytes(manifest, set.plan, 1);
  ToyWorker worker(manifest, set, bytes.arena);
  ToySession session(manifest, 0);
  REQUIRE(worker.runners[0]->attach(session.attached()));
  session.ask(0, Ids(300, 5), {.answer_tokens_max = 20});
  while (worker.runners[0]->has_turn()) {
    REQUIRE(worker.runners[0]->step(worker.runners));
    CHECK(bytes.arena.slot_header(0).tokens.load() == session.tokens().size());
  }
  CHECK(session.tokens().size() == 320);
}

}  // namespace
}  // namespace ovenbird
