// A plan over the fake engine, as the tests of plans and sessions set it up.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "fakes/fake_engine.h"
#include "fakes/toy_bundle.h"
#include "fakes/toy_model.h"
#include "reference_text.h"
#include "session/plan.h"
#include "session/session.h"

namespace ovenbird {

using Ids = std::vector<int32_t>;

/// When it ends, the engine must have seen nothing wrong.
struct PlanBench {
  PlanBench(const ToyBundle& toy, const std::string& graphs)
      : bundle(toy),
        manifest(toy_manifest(toy)),
        engine(manifest, graph_set(manifest, graphs).graphs),
        model(manifest) {
    Result<std::unique_ptr<Plan>> made =
        make_plan(graph_set(manifest, graphs).plan, engine, manifest);
    REQUIRE(made);
    plan = std::move(*made);
  }
  ~PlanBench() {
    for (const std::string& fault : engine.faults()) CHECK_MESSAGE(false, fault);
  }

  /// What the plan should let the newest token see.
  ReferenceView view() const {
    const bool is_window = engine.graphs()[0].plan == "window";
    const bool is_dynamic = engine.graphs()[0].plan == "dynamic";
    if (is_window) return ReferenceView::window(std::min(bundle.window_width, bundle.context));
    return ReferenceView::cache(is_dynamic ? bundle.context
                                           : std::min(bundle.context, bundle.past));
  }

  /// Index of a graph by its file's name.
  size_t graph(const std::string& file) const {
    for (size_t index = 0; index < engine.graphs().size(); ++index) {
      if (engine.graphs()[index].file == file) return index;
    }
    FAIL("no graph " << file);
    return 0;
  }

  Session session(const SessionOptions& options = {}) {
    Result<Session> made = Session::create(*plan, bundle.vocabulary, options);
    REQUIRE(made);
    return std::move(*made);
  }

  const ToyBundle bundle;
  const Manifest manifest;
  FakeEngine engine;
  const ToyModel model;
  std::unique_ptr<Plan> plan;
};

/// The names of all sets of graphs that serve the cached and the dynamic plan.
inline std::vector<std::string> cache_graph_names() {
  std::vector<std::string> names;
  for (const GraphSet& set : cache_graph_sets(toy_manifest({}))) names.push_back(set.name);
  return names;
}

/// Tokens without a pattern.
inline Ids random_ids(size_t count, uint32_t seed, uint32_t vocabulary = 64) {
  std::mt19937 random(seed);
  Ids ids(count);
  for (int32_t& id : ids) id = static_cast<int32_t>(random() % vocabulary);
  return ids;
}

inline Ids joined(Ids first, std::span<const int32_t> second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

/// The next `count` tokens; next() must not fail.
inline Ids say(Session& session, size_t count) {
  Ids said;
  while (said.size() < count) {
    const Result<int32_t> id = session.next();
    REQUIRE_MESSAGE(id, (id ? "" : id.error().message));
    said.push_back(*id);
  }
  return said;
}

}  // namespace ovenbird
