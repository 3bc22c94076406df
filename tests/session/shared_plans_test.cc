// Several plans over one engine: graphs are shared, bindings, slots and texts are not.
#include <doctest/doctest.h>

#include "durable_bench.h"
#include "session/shared_graphs.h"

namespace ovenbird {
namespace {

/// Some conversations over one engine, each with a slot of its own, and one place for logits.
struct SharedBench {
  SharedBench(const ToyBundle& toy, const std::string& graphs, size_t plans_count)
      : durable(toy, graphs),
        model(durable.manifest),
        engine(durable.manifest, durable.set.graphs),
        shared(std::make_shared<SharedGraphs>(engine)) {
    for (size_t i = 0; i < plans_count; ++i) add_plan();
  }
  ~SharedBench() {
    for (const std::string& fault : engine.faults()) CHECK_MESSAGE(false, fault);
  }

  void add_plan() {
    const uint32_t rows = std::max(cache_rows(durable.manifest, durable.set.plan), 1u);
    slots.push_back(std::make_unique<DurableSlot>(durable.manifest, rows));
    Result<std::unique_ptr<Plan>> made =
        make_plan(durable.set.plan, shared, durable.manifest,
                  {.slot = slots.back()->memory(), .logits = durable.logits_span()});
    REQUIRE(made);
    plans.push_back(std::move(*made));
  }
  Session session(size_t plan, const SessionOptions& options = {}) {
    Result<Session> made = Session::create(*plans[plan], durable.bundle.vocabulary, options);
    REQUIRE(made);
    return std::move(*made);
  }
  ReferenceView view() const {
    const ToyBundle& toy = durable.bundle;
    if (durable.set.plan == "window") {
      return ReferenceView::window(std::min(toy.window_width, toy.context));
    }
    return ReferenceView::cache(durable.set.plan == "dynamic" ? toy.context
                                                              : std::min(toy.context, toy.past));
  }
  bool is_held(const std::string& file) const {
    for (size_t graph = 0; graph < engine.graphs().size(); ++graph) {
      if (engine.graphs()[graph].file == file) return engine.is_held(graph);
    }
    return false;
  }

  const Durable durable;
  const ToyModel model;
  FakeEngine engine;
  std::shared_ptr<SharedGraphs> shared;
  std::vector<std::unique_ptr<DurableSlot>> slots;
  std::vector<std::unique_ptr<Plan>> plans;
};

std::vector<std::string> all_graph_names() {
  std::vector<std::string> names = cache_graph_names();
  names.push_back("window");
  return names;
}

constexpr ToyBundle kSmall{.context = 96, .past = 96, .short_past = 48};

TEST_CASE("conversations that take turns step by step each say what they would say alone") {
  for (const std::string& graphs : all_graph_names()) {
    CAPTURE(graphs);
    SharedBench bench(kSmall, graphs, 3);
    const std::vector<Ids> prompts = {random_ids(90, 1), random_ids(7, 2), random_ids(150, 3)};
    std::vector<Session> sessions;
    for (size_t i = 0; i < prompts.size(); ++i) {
      sessions.push_back(bench.session(i));
      REQUIRE(sessions[i].begin(prompts[i]));
    }
    for (int round = 0; round < 130; ++round) {
      for (Session& session : sessions) REQUIRE(session.step());
    }
    for (size_t i = 0; i < prompts.size(); ++i) {
      CAPTURE(i);
      const auto tokens = sessions[i].tokens();
      const Ids answer(tokens.begin() + ptrdiff_t(prompts[i].size()), tokens.end());
      CHECK(answer.size() > 100);
      CHECK(answer == reference_answer(bench.model, bench.view(), prompts[i], answer.size()));
    }
  }
}

TEST_CASE("going from one conversation to another binds nothing anew") {
  SharedBench bench({}, "cached CPU balanced", 2);
  std::vector<Session> sessions;
  for (size_t i = 0; i < 2; ++i) {
    sessions.push_back(bench.session(i));
    REQUIRE(sessions[i].prompt(random_ids(50, uint32_t(i))));
    say(sessions[i], 3);
  }
  const uint32_t bind_calls = bench.engine.bind_calls();
  for (int round = 0; round < 20; ++round) {
    for (Session& session : sessions) say(session, 1);
  }
  CHECK(bench.engine.bind_calls() == bind_calls);
}

TEST_CASE("a graph that one conversation has outgrown stays while another uses it") {
  SharedBench bench({}, "cached CPU balanced", 2);
  Session growing = bench.session(0);
  Session small = bench.session(1);
  REQUIRE(growing.prompt(random_ids(490, 1)));
  REQUIRE(small.prompt(random_ids(490, 2)));
  say(small, 2);
  say(growing, 30);
  CHECK(bench.is_held("step_w1_p512.xml"));
  CHECK(bench.is_held("step_w1_p1024.xml"));
  say(small, 30);
  CHECK_FALSE(bench.is_held("step_w1_p512.xml"));
  CHECK(bench.is_held("step_w1_p1024.xml"));
}

TEST_CASE("a conversation that ends leaves its graphs compiled, and is no holder any more") {
  SharedBench bench({}, "cached CPU balanced", 2);
  {
    Session first = bench.session(0);
    REQUIRE(first.prompt(random_ids(20, 1)));
    say(first, 5);
  }
  bench.plans[0].reset();
  CHECK(bench.is_held("step_w1_p512.xml"));
  for (size_t graph = 0; graph < bench.engine.graphs().size(); ++graph) {
    CHECK(bench.shared->holders(graph) == 0);
  }
  const Ids prompt = random_ids(30, 2);
  Session second = bench.session(1);
  REQUIRE(second.prompt(prompt));
  CHECK(say(second, 5) == reference_answer(bench.model, bench.view(), prompt, 5));
}

TEST_CASE("the last of a graph's holders gives it back") {
  const Manifest manifest = toy_manifest({});
  FakeEngine engine(manifest, graph_set(manifest, "cached CPU fast").graphs);
  SharedGraphs shared(engine);
  engine.prepare(1);
  shared.hold(1);
  shared.hold(1);
  shared.hold(1);
  shared.release(1);
  CHECK(engine.is_held(1));
  shared.let_go(1);
  CHECK(engine.is_held(1));
  shared.release(1);
  CHECK_FALSE(engine.is_held(1));
}

TEST_CASE("logits are written where the caller wants them, on every graph") {
  for (const std::string& graphs : all_graph_names()) {
    CAPTURE(graphs);
    SharedBench bench(kSmall, graphs, 2);
    const std::span<float> memory = bench.durable.logits_span();
    for (const auto& plan : bench.plans) {
      const Ids tokens = random_ids(200, 4);
      ReferenceView view = bench.view();
      for (size_t first = 0; first < tokens.size();) {
        const LogitRows wanted = first % 3 == 0 ? LogitRows::kAll : LogitRows::kLast;
        const auto rest = std::span(tokens).subspan(first);
        const uint32_t count = plan->chunk(uint32_t(std::min<size_t>(rest.size(), 5)), wanted);
        const Result<Logits> logits = plan->step(rest.first(count), wanted);
        REQUIRE(logits);
        CHECK(logits->values.data() >= memory.data());
        CHECK(logits->values.data() + logits->values.size() <= memory.data() + memory.size());
        view.push(rest.first(count));
        const std::vector<float> expected = reference_logits(bench.model, view);
        CHECK(std::ranges::equal(logits->row(logits->rows - 1), expected));
        plan->commit(count);
        first += count;
      }
    }
  }
}

TEST_CASE("memory that does not do is refused when the plan is made") {
  const Durable durable({.vocabulary = 512, .context = 96, .past = 96, .short_past = 48},
                        "cached CPU fast");
  FakeEngine engine(durable.manifest, durable.set.graphs);
  const auto shared = std::make_shared<SharedGraphs>(engine);
  const auto refuses = [&](const PlanMemory& memory) {
    const Result<std::unique_ptr<Plan>> plan =
        make_plan("cached", shared, durable.manifest, memory);
    return !plan && plan.error().code == Code::kInvalidArgument;
  };
  const std::span<float> logits = durable.logits_span();
  const size_t page_numbers = round_up_to_page(1) / sizeof(float);
  CHECK_FALSE(refuses({.slot = durable.slot.memory(), .logits = logits}));
  CHECK(refuses({.logits = logits.first(logits.size() - 1)}));
  CHECK(refuses({.logits = logits.subspan(1)}));
  CHECK(refuses({.logits = logits.first(logits.size() - page_numbers)}));
  SlotMemory slot = durable.slot.memory();
  slot.pages = slot.pages.first(slot.pages.size() - 1);
  CHECK(refuses({.slot = slot}));
  slot = durable.slot.memory();
  slot.scratch = slot.scratch.first(durable.manifest.head_bytes(96) - 1);
  CHECK(refuses({.slot = slot}));
  slot = durable.slot.memory();
  slot.pages = shared_pages(2 * slot.pages.size()).bytes().subspan(64);
  CHECK(refuses({.slot = slot}));
  slot = durable.slot.memory();
  slot.header = nullptr;
  CHECK(refuses({.slot = slot}));
}

TEST_CASE("a slot of the whole plan serves an engine that has some of its graphs") {
  Durable durable({.context = 96, .past = 96, .short_past = 48}, "cached NPU lean");
  GraphSet few = durable.set;
  few.graphs = {durable.manifest.graphs[5]};
  REQUIRE(few.graphs[0].file == "step_w8_p48.xml");
  FakeEngine engine(durable.manifest, few.graphs);
  Result<std::unique_ptr<Plan>> plan = make_plan("cached", std::make_shared<SharedGraphs>(engine),
                                                 durable.manifest, {.slot = durable.slot.memory()});
  REQUIRE(plan);
  Session session = std::move(*Session::create(**plan, 64, {}));
  const Ids prompt = random_ids(60, 5);
  REQUIRE(session.prompt(prompt));
  CHECK(say(session, 50) ==
        reference_answer(ToyModel(durable.manifest), ReferenceView::cache(48), prompt, 50));
  CHECK(engine.faults().empty());
}

TEST_CASE("a plan takes the beginning of another one's conversation and goes on by itself") {
  for (const std::string& graphs : all_graph_names()) {
    CAPTURE(graphs);
    SharedBench bench(kSmall, graphs, 2);
    const Ids first = random_ids(60, 6);
    Session source = bench.session(0);
    REQUIRE(source.prompt(first));
    say(source, 3);
    for (const size_t count : {1, 20, 47, 48, 59, 1000}) {
      CAPTURE(count);
      bench.plans[1]->keep(0);
      const uint64_t held = bench.plans[1]->take_prefix(*bench.plans[0], count);
      CHECK(held == std::min<uint64_t>(count, bench.plans[0]->tokens()));
      const Ids shared(source.tokens().begin(), source.tokens().begin() + ptrdiff_t(held));
      Session fork = bench.session(1);
      REQUIRE(fork.resume({.tokens = shared, .prompt_tokens = shared.size()}));
      const Ids prompt = joined(shared, random_ids(9, 7));
      const uint64_t given = bench.engine.tokens_given();
      REQUIRE(fork.prompt(prompt));
      CHECK(fork.stats().reused_tokens == held);
      if (graphs != "window") CHECK(bench.engine.tokens_given() - given == 9);
      CHECK(say(fork, 60) == reference_answer(bench.model, bench.view(), prompt, 60));
    }
    const Ids more = say(source, 20);
    CHECK(joined(Ids(source.tokens().begin() + 60, source.tokens().begin() + 63), more) ==
          reference_answer(bench.model, bench.view(), first, 23));
  }
}

TEST_CASE("what has dropped rows, holds none, or is of another kind gives no beginning") {
  SharedBench bench(kSmall, "cached CPU fast", 2);
  CHECK(bench.plans[1]->take_prefix(*bench.plans[0], 5) == 0);
  Session source = bench.session(0);
  REQUIRE(source.prompt(random_ids(100, 8)));
  Session other = bench.session(1);
  REQUIRE(other.prompt(random_ids(10, 9)));
  bench.plans[1]->keep(0);
  CHECK(bench.plans[1]->take_prefix(*bench.plans[0], 5) == 0);
  CHECK(bench.plans[1]->tokens() == 0);
  SharedBench window(kSmall, "window", 1);
  CHECK(bench.plans[1]->take_prefix(*window.plans[0], 5) == 0);
  CHECK(window.plans[0]->take_prefix(*bench.plans[0], 5) == 0);
}

}  // namespace
}  // namespace ovenbird
