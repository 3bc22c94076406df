// Which graphs a plan has compiled when: before they are needed, and not for longer.
#include <doctest/doctest.h>

#include "plan_bench.h"
#include "session/cache_plan.h"

namespace ovenbird {
namespace {

/// Files of the graphs that are compiled.
std::vector<std::string> held(const PlanBench& bench) {
  std::vector<std::string> files;
  for (size_t graph = 0; graph < bench.engine.graphs().size(); ++graph) {
    if (bench.engine.is_held(graph)) files.push_back(bench.engine.graphs()[graph].file);
  }
  return files;
}

using Files = std::vector<std::string>;
const Files kPrefill = {"step_w128_open.xml"};
const Files kShort = {"step_w128_open.xml", "step_w8_p512.xml", "step_w1_p512.xml"};
const Files kBoth = {"step_w128_open.xml", "step_w8_p512.xml", "step_w8_p1024.xml",
                     "step_w1_p512.xml", "step_w1_p1024.xml"};
const Files kLong = {"step_w128_open.xml", "step_w8_p1024.xml", "step_w1_p1024.xml"};

TEST_CASE("the larger graphs are made before they are needed, and the smaller then given back") {
  for (const bool drafts : {false, true}) {
    PlanBench bench({}, "cached CPU fast");
    Session session = bench.session({.drafts = drafts});
    const Ids prompt = random_ids(370, 1);
    REQUIRE(session.prompt(prompt));
    CHECK(held(bench) == kPrefill);
    const Ids begin = say(session, 2);
    CHECK(held(bench) == kShort);
    const Ids answer = joined(begin, say(session, 58));  // the short past is three quarters full
    CHECK(held(bench) == kBoth);
    const Ids more = say(session, 100);
    CHECK(held(bench) == kLong);
    CHECK(joined(answer, more) == reference_answer(bench.model, bench.view(), prompt, 160));
  }
}

TEST_CASE("a long prompt has only those graphs made that its answer needs") {
  PlanBench bench({}, "cached CPU fast");
  Session session = bench.session();
  REQUIRE(session.prompt(random_ids(640, 1)));
  CHECK(held(bench) == kPrefill);
  say(session, 2);
  CHECK(held(bench) == kLong);
}

TEST_CASE("a prompt that ends at the short past's end is answered over the longer one") {
  for (const size_t length : {511, 512, 513}) {
    PlanBench bench({}, "cached CPU fast");
    Session session = bench.session();
    const Ids prompt = random_ids(length, 1);
    REQUIRE(session.prompt(prompt));
    CHECK(say(session, 3) == reference_answer(bench.model, bench.view(), prompt, 3));
    CHECK(held(bench) == kLong);
  }
}

TEST_CASE("a new turn that fills the short past has no smaller graph made for its last tokens") {
  for (const size_t length : {503, 509, 510, 511, 512}) {
    CAPTURE(length);
    PlanBench bench({}, "cached CPU fast");
    Session session = bench.session();
    Ids history = random_ids(490, 1);
    REQUIRE(session.prompt(history));
    history = joined(history, say(session, 7));
    history = joined(history, random_ids(length - history.size(), 2));
    const uint32_t bind_calls = bench.engine.bind_calls();

    REQUIRE(session.prompt(history));

    CHECK(say(session, 20) == reference_answer(bench.model, bench.view(), history, 20));
    CHECK(held(bench) == kLong);
    CHECK(bench.engine.bind_calls() <= bind_calls + 3);  // w8 over each past, w1 over the long one
  }
}

TEST_CASE("a short conversation after a long one runs on the smaller graphs again") {
  PlanBench bench({}, "cached CPU fast");
  Session session = bench.session({.drafts = true});
  for (const size_t length : {600, 30, 700, 5}) {
    CAPTURE(length);
    const Ids prompt = random_ids(length, uint32_t(length));
    REQUIRE(session.prompt(prompt));
    CHECK(say(session, 40) == reference_answer(bench.model, bench.view(), prompt, 40));
    CHECK(bench.engine.steps().back().past == (length < 100 ? 512 : 1024));
  }
}

TEST_CASE("dropping rows brings no graph back that is too short for what comes") {
  PlanBench bench({.context = 600, .past = 600, .short_past = 512}, "cached CPU fast");
  Session session = bench.session({.drafts = true});
  const Ids prompt = random_ids(590, 1);
  REQUIRE(session.prompt(prompt));

  CHECK(say(session, 1600) == reference_answer(bench.model, bench.view(), prompt, 1600));

  CHECK(held(bench) == Files{"step_w128_open.xml", "step_w8_p600.xml", "step_w1_p600.xml"});
  CHECK(bench.engine.bind_calls() == 3);
}

TEST_CASE("scoring gives the smaller graphs back when it has outgrown them") {
  PlanBench bench({}, "cached CPU score");
  const Ids tokens = random_ids(700, 1);
  for (size_t first = 0; first < tokens.size();) {
    const auto rest = std::span(tokens).subspan(first);
    const uint32_t count = bench.plan->chunk(uint32_t(rest.size()), LogitRows::kAll);
    REQUIRE(bench.plan->step(rest.first(count), LogitRows::kAll));
    bench.plan->commit(count);
    first += count;
  }
  CHECK(held(bench) == Files{"step_w8_p1024.xml"});
}

TEST_CASE("a plan that the engine has no graph for is refused") {
  PlanBench bench({}, "cached CPU fast");
  for (const std::string name : {"window", "dynamic", ""}) {
    const Result<std::unique_ptr<Plan>> plan = make_plan(name, bench.engine, bench.manifest);
    REQUIRE_FALSE(plan);
    CHECK(plan.error().code == Code::kInvalidArgument);
  }
}

TEST_CASE("a cache that no address space has room for is told when the plan is made") {
  Manifest manifest = toy_manifest({});
  FakeEngine engine(manifest, graph_set(manifest, "dynamic").graphs);
  manifest.model.context = 1 << 20;
  manifest.model.layers = 1024;
  manifest.model.kv_heads = 1 << 10;
  manifest.model.head_dim = 1 << 7;
  const Result<std::unique_ptr<Plan>> plan = make_plan("dynamic", engine, manifest);
  REQUIRE_FALSE(plan);
  CHECK(plan.error().code == Code::kIo);
}

}  // namespace
}  // namespace ovenbird
