// A conversation is taken up by another process, wherever the one before it died: the same steps
// on the same graphs, and the same text.
#include <doctest/doctest.h>

#include "durable_bench.h"

namespace ovenbird {
namespace {

/// What a process does that nobody disturbs.
struct Course {
  std::vector<KeptRecord> records;  // [steps + 1]: after begin(), and after each step
  std::vector<FakeEngine::Step> steps;
};

struct Talk {
  ToyBundle toy;
  std::string graphs;
  SessionOptions options;
  Ids prompt;
  size_t answer = 0;

  size_t tokens() const { return prompt.size() + answer; }
};

Course undisturbed(const Talk& talk) {
  const Durable durable(talk.toy, talk.graphs);
  DurableWorker worker(durable, talk.options);
  Course course;
  REQUIRE(worker.plan->restore({}));
  REQUIRE(worker.session->begin(talk.prompt));
  course.records.push_back(worker.record());
  while (worker.session->tokens().size() < talk.tokens()) {
    REQUIRE(worker.session->step());
    course.records.push_back(worker.record());
  }
  course.steps = worker.engine.steps();
  REQUIRE(course.steps.size() + 1 == course.records.size());
  return course;
}

void check_record(const KeptRecord& found, const KeptRecord& wanted) {
  CHECK(found.tokens == wanted.tokens);
  CHECK(found.prompt_tokens == wanted.prompt_tokens);
  CHECK(found.computed == wanted.computed);
}

/// Begins, and dies.
void begin_and_die(const Durable& durable, const Talk& talk, const KeptRecord& wanted) {
  DurableWorker worker(durable, talk.options);
  REQUIRE(worker.plan->restore({}));
  REQUIRE(worker.session->begin(talk.prompt));
  check_record(worker.record(), wanted);
}

/// A process makes `steps` steps, publishes each, and dies.
void check_processes_of(const Talk& talk, size_t steps) {
  CAPTURE(steps);
  const Course course = undisturbed(talk);
  const Durable durable(talk.toy, talk.graphs);
  begin_and_die(durable, talk, course.records[0]);
  for (size_t done = 0; done < course.steps.size(); done += steps) {
    DurableWorker worker(durable, talk.options);
    worker.resume(course.records[done]);
    for (size_t i = done; i < std::min(done + steps, course.steps.size()); ++i) {
      CAPTURE(i);
      REQUIRE(worker.session->step());
      check_record(worker.record(), course.records[i + 1]);
      CHECK(is_same_step(worker.engine.steps().back(), course.steps[i]));
    }
  }
}

/// One step that ends in none, as a process dies or a device fails.
void check_dies_in_step(const Durable& durable, const Talk& talk, const Course& course,
                        size_t done) {
  for (uint64_t calls = 0;; ++calls) {
    DurableWorker worker(durable, talk.options);
    worker.engine.fail_after(calls);
    worker.resume(course.records[done]);
    if (worker.session->step()) break;
  }
  for (int store = 0;; ++store) {
    DurableWorker worker(durable, talk.options, DeathAt(store));
    try {
      worker.resume(course.records[done]);
      const Status stepped = worker.session->step();  // no REQUIRE, which would catch the death
      REQUIRE(stepped);
      break;
    } catch (const Death&) {
    }
  }
}

/// Every step is first made by processes that fail or die at every call of the engine and every
/// store to the slot's header, then by one that dies before it has published it, and then again.
void check_dies_everywhere(const Talk& talk) {
  const Course course = undisturbed(talk);
  const Durable durable(talk.toy, talk.graphs);
  begin_and_die(durable, talk, course.records[0]);
  for (size_t done = 0; done < course.steps.size(); ++done) {
    CAPTURE(done);
    check_dies_in_step(durable, talk, course, done);
    for (int again = 0; again < 2; ++again) {
      DurableWorker worker(durable, talk.options);
      worker.resume(course.records[done]);
      REQUIRE(worker.session->step());
      check_record(worker.record(), course.records[done + 1]);
      CHECK(is_same_step(worker.engine.steps().back(), course.steps[done]));
    }
  }
}

std::vector<std::string> all_graph_names() {
  std::vector<std::string> names = cache_graph_names();
  names.push_back("window");
  return names;
}

SessionOptions greedy() { return {}; }

/// Uses the history, the answer's boundary, the position and the seed.
SessionOptions drawn() {
  return {.sampling = {.temperature = 0.9f,
                       .top_k = 20,
                       .repetition_penalty = 1.05f,
                       .presence_penalty = 0.3f,
                       .frequency_penalty = 0.1f,
                       .seed = 11}};
}

// Prompts of several chunks; answers that fill the short past and the cache, more than once.
constexpr ToyBundle kTiny{.context = 64, .past = 64, .short_past = 32};
constexpr ToyBundle kOdd{
    .context = 61, .past = 80, .short_past = 40, .cache_type = CacheType::kF32};
constexpr ToyBundle kLarge{.context = 700, .past = 700, .short_past = 200};

TEST_CASE("a conversation that changes hands after every few steps is what it would have been") {
  for (const std::string& graphs : all_graph_names()) {
    CAPTURE(graphs);
    for (const SessionOptions& options : {SessionOptions{}, drawn()}) {
      for (const size_t steps : {1, 2, 3, 7}) {
        check_processes_of({kTiny, graphs, options, random_ids(100, 1), 150}, steps);
        check_processes_of({kOdd, graphs, options, random_ids(20, 2), 150}, steps);
      }
      check_processes_of({kLarge, graphs, options, random_ids(290, 3), 60}, 1);
      check_processes_of({kLarge, graphs, options, random_ids(150, 4), 400}, 5);
    }
  }
}

TEST_CASE("a process may die anywhere in a step, and the next one makes that step") {
  for (const std::string& graphs : all_graph_names()) {
    CAPTURE(graphs);
    check_dies_everywhere({kTiny, graphs, greedy(), random_ids(70, 5), 60});
    check_dies_everywhere({kOdd, graphs, drawn(), random_ids(25, 6), 60});
  }
}

TEST_CASE("where the cache is laid out anew, a process may die anywhere in a step") {
  for (const std::string& graphs : all_graph_names()) {
    CAPTURE(graphs);
    check_dies_everywhere({kLarge, graphs, greedy(), random_ids(120, 7), 20});
    check_dies_everywhere({kLarge, graphs, greedy(), random_ids(505, 8), 15});
    check_dies_everywhere({kLarge, graphs, greedy(), random_ids(690, 9), 15});
  }
}

TEST_CASE("drafts are worth to another process what they were worth to the one before") {
  for (const std::string& graphs : all_graph_names()) {
    CAPTURE(graphs);
    SessionOptions options = drawn();
    options.drafts = true;
    options.draft_salt = 5;
    for (const size_t steps : {1, 4}) {
      check_processes_of({{}, graphs, options, random_ids(60, 10, 12), 200}, steps);
    }
  }
}

TEST_CASE("drafts leave the text as it is where a cache is full and processes die") {
  for (const std::string& graphs : cache_graph_names()) {
    CAPTURE(graphs);
    SessionOptions options{.drafts = true};
    const Ids prompt = random_ids(50, 11, 12);
    const Durable durable(kTiny, graphs);
    KeptRecord record;
    {
      DurableWorker worker(durable, options);
      REQUIRE(worker.session->begin(prompt));
      record = worker.record();
    }
    while (record.tokens.size() < prompt.size() + 150) {
      DurableWorker worker(durable, options);
      worker.resume(record);
      REQUIRE(worker.session->step());
      record = worker.record();
    }
    const Ids answer(record.tokens.begin() + ptrdiff_t(prompt.size()), record.tokens.end());
    const ToyModel model(durable.manifest);
    const uint32_t rows = graphs == "dynamic" ? kTiny.context : kTiny.past;
    CHECK(answer == reference_answer(model, ReferenceView::cache(rows), prompt, answer.size()));
  }
}

TEST_CASE("a new turn after a change of hands computes what it would have computed") {
  for (const std::string& graphs : all_graph_names()) {
    CAPTURE(graphs);
    const Ids more = random_ids(30, 13);
    std::vector<FakeEngine::Step> wanted;
    Ids wanted_tokens;
    for (const bool changes_hands : {false, true}) {
      const Durable durable(kTiny, graphs);
      auto worker = std::make_unique<DurableWorker>(durable, drawn());
      REQUIRE(worker->session->prompt(random_ids(40, 12)));
      say(*worker->session, 50);
      const KeptRecord record = worker->record();
      const size_t before = worker->engine.steps().size();
      if (changes_hands) {
        worker = std::make_unique<DurableWorker>(durable, drawn());
        worker->resume(record);
      }
      REQUIRE(worker->session->prompt(joined(record.tokens, more)));
      say(*worker->session, 20);
      std::vector<FakeEngine::Step> steps = worker->engine.steps();
      if (!changes_hands) {
        wanted.assign(steps.begin() + ptrdiff_t(before), steps.end());
        wanted_tokens = worker->record().tokens;
      } else {
        CHECK(std::equal(steps.begin(), steps.end(), wanted.begin(), wanted.end(), is_same_step));
        CHECK(worker->record().tokens == wanted_tokens);
      }
    }
  }
}

TEST_CASE("what begin() keeps is not written before the owner can publish it") {
  for (const std::string& graphs : cache_graph_names()) {
    CAPTURE(graphs);
    // Rows have been dropped, and the new conversation shares too little to keep any.
    const Talk talk{kTiny, graphs, greedy(), random_ids(100, 14), 30};
    const Course course = undisturbed(talk);
    const Durable durable(talk.toy, talk.graphs);
    const size_t middle = course.steps.size() - 10;
    begin_and_die(durable, talk, course.records[0]);
    DurableWorker first(durable, talk.options);
    first.resume(course.records[0]);
    for (size_t i = 0; i < middle; ++i) REQUIRE(first.session->step());
    REQUIRE(first.session->begin(random_ids(40, 15)));
    CHECK(first.plan->tokens() == 0);

    DurableWorker second(durable, talk.options);
    second.resume(course.records[middle]);
    REQUIRE(second.session->step());
    check_record(second.record(), course.records[middle + 1]);
  }
}

TEST_CASE("a slot that does not hold what it should is computed again") {
  for (const std::string& graphs : cache_graph_names()) {
    CAPTURE(graphs);
    const Talk talk{kTiny, graphs, greedy(), random_ids(50, 16), 20};
    const Course course = undisturbed(talk);
    const Durable durable(talk.toy, talk.graphs);  // nothing was ever computed here
    DurableWorker worker(durable, talk.options);
    const KeptRecord& record = course.records[course.records.size() - 5];
    const Status restored = worker.plan->restore(std::span(record.tokens).first(record.computed));
    REQUIRE_FALSE(restored);
    CHECK(restored.error().code == Code::kCorrupt);
    CHECK(worker.plan->tokens() == 0);
    REQUIRE(
        worker.session->resume({.tokens = record.tokens, .prompt_tokens = record.prompt_tokens}));
    while (worker.session->tokens().size() < talk.tokens()) REQUIRE(worker.session->step());
    CHECK(worker.record().tokens == course.records.back().tokens);
  }
}

TEST_CASE("whatever stands in a slot's header, a plan over it goes on or says why not") {
  std::mt19937 random(17);
  const Talk talk{kTiny, "cached CPU fast", greedy(), random_ids(50, 18), 20};
  const Durable durable(talk.toy, talk.graphs);
  for (int round = 0; round < 3000; ++round) {
    scribble(durable.slot.header_page.bytes().first(48), random);
    const uint32_t small = uint32_t(random() % 80);
    if (round % 3 == 0) wire::set_move_step(durable.slot.header(), 0);
    if (round % 2 == 0) wire::set_layout(durable.slot.header(), {.capacity = small, .dropped = 0});
    FakeEngine engine(durable.manifest, durable.set.graphs);
    Result<std::unique_ptr<Plan>> plan =
        make_plan("cached", std::make_shared<SharedGraphs>(engine), durable.manifest,
                  {.slot = durable.slot.memory()});
    REQUIRE(plan);
    const Ids tokens = random_ids(random() % 70, 19);
    const Status restored = (*plan)->restore(tokens);
    if (!restored) CHECK(restored.error().code == Code::kCorrupt);
    CHECK((*plan)->tokens() == (restored ? tokens.size() : 0));
    const uint32_t count = (*plan)->chunk(5, LogitRows::kLast);
    // Rows of garbage are the device's to refuse.
    const Result<Logits> logits = (*plan)->step(random_ids(count, 20), LogitRows::kLast);
    if (logits) (*plan)->commit(count);
  }
}

TEST_CASE("what cannot be resumed is refused and changes nothing") {
  const Durable durable(kTiny, "cached CPU balanced");
  DurableWorker worker(durable, {});
  const Ids prompt = random_ids(20, 21);
  REQUIRE(worker.session->prompt(prompt));
  const Ids tokens = worker.record().tokens;
  const std::vector<KeptConversation> wrong = {
      {.tokens = {}, .prompt_tokens = 0},
      {.tokens = tokens, .prompt_tokens = 0},
      {.tokens = tokens, .prompt_tokens = tokens.size() + 1},
      {.tokens = tokens, .prompt_tokens = 3, .unsaid_logit_rows = 1},
      {.tokens = tokens, .prompt_tokens = tokens.size(), .unsaid_logit_rows = 9},
      {.tokens = std::span(tokens).first(5), .prompt_tokens = 5}};  // the plan holds more
  for (const KeptConversation& kept : wrong) {
    const Status refused = worker.session->resume(kept);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::kInvalidArgument);
  }
  const ToyModel model(durable.manifest);
  CHECK(say(*worker.session, 5) == reference_answer(model, ReferenceView::cache(64), prompt, 5));
}

}  // namespace
}  // namespace ovenbird
