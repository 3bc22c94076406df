// A session over a device that fails: at every single call once, and then all goes on as it was.
#include <doctest/doctest.h>

#include "plan_bench.h"
#include "session/session.h"

namespace ovenbird {
namespace {

// A prompt of several steps, an answer beyond the short past's end and the cache's, and a new turn.
constexpr ToyBundle kToy{.context = 64, .past = 64, .short_past = 32};
constexpr size_t kPromptTokens = 29;
constexpr size_t kAnswer = 40;
constexpr size_t kSecondAnswer = 5;

enum class Fault { kNone, kFailedCall, kNoNumbers };
enum class AfterFailedPrompt { kPromptAgain, kNext };

struct Conversation {
  SessionOptions options;
  std::string graphs;
  Fault fault = Fault::kNone;
  uint64_t calls_before_fault = 0;
  AfterFailedPrompt after_failed_prompt = AfterFailedPrompt::kPromptAgain;
};

struct Outcome {
  Ids said;
  bool was_hit = false;
};

void prompt_in_spite_of_faults(Session& session, const Ids& tokens, const Conversation& how,
                               Outcome& outcome) {
  Status done = session.prompt(tokens);
  if (done) return;
  outcome.was_hit = true;
  if (how.after_failed_prompt == AfterFailedPrompt::kNext) return;
  done = session.prompt(tokens);
  CHECK(done);
}

void say_in_spite_of_faults(Session& session, size_t count, Outcome& outcome) {
  for (const size_t until = outcome.said.size() + count; outcome.said.size() < until;) {
    Result<int32_t> id = session.next();
    if (!id) {
      CHECK_FALSE(outcome.was_hit);  // once
      outcome.was_hit = true;
      id = session.next();
    }
    REQUIRE(id);
    outcome.said.push_back(*id);
  }
}

Outcome converse(const Conversation& how) {
  PlanBench bench(kToy, how.graphs);
  Session session = bench.session(how.options);
  if (how.fault == Fault::kFailedCall) bench.engine.fail_after(how.calls_before_fault);
  if (how.fault == Fault::kNoNumbers) bench.engine.spoil_logits_after(how.calls_before_fault);
  Ids history = random_ids(kPromptTokens, 1, 12);
  Outcome outcome;
  prompt_in_spite_of_faults(session, history, how, outcome);
  say_in_spite_of_faults(session, kAnswer, outcome);
  history = joined(joined(history, outcome.said), random_ids(10, 2, 12));
  prompt_in_spite_of_faults(session, history, how, outcome);
  say_in_spite_of_faults(session, kSecondAnswer, outcome);
  if (how.fault != Fault::kNone && !bench.engine.has_pending_fault()) {
    // Where nobody looks at a step's logits, it does not matter what they are.
    CHECK((outcome.was_hit || how.fault == Fault::kNoNumbers));
    outcome.was_hit = true;
  }
  return outcome;
}

/// Lets every call fail once, each in a conversation of its own.
void check_every_fault(const std::string& graphs, const SessionOptions& options) {
  CAPTURE(graphs);
  Conversation how;
  how.graphs = graphs;
  how.options = options;
  const Ids wanted = converse(how).said;
  for (const Fault fault : {Fault::kFailedCall, Fault::kNoNumbers}) {
    for (const auto after : {AfterFailedPrompt::kPromptAgain, AfterFailedPrompt::kNext}) {
      how.fault = fault;
      how.after_failed_prompt = after;
      for (how.calls_before_fault = 0;; ++how.calls_before_fault) {
        CAPTURE(how.calls_before_fault);
        const Outcome outcome = converse(how);
        CHECK(outcome.said == wanted);
        if (!outcome.was_hit) break;
      }
      CHECK(how.calls_before_fault > 2);
    }
  }
}

std::vector<std::string> all_graph_names() {
  std::vector<std::string> names = cache_graph_names();
  names.push_back("window");
  return names;
}

TEST_CASE("whichever call fails, the text goes on as if it had not") {
  for (const std::string& graphs : all_graph_names()) check_every_fault(graphs, {});
}

TEST_CASE("whichever call fails, a drawn text with drafts goes on as if it had not") {
  SessionOptions options;
  options.drafts = true;
  options.sampling.temperature = 0.9f;
  options.sampling.repetition_penalty = 1.02f;
  options.sampling.seed = 7;
  for (const std::string& graphs : all_graph_names()) check_every_fault(graphs, options);
}

TEST_CASE("a step that failed is the only one that is computed again") {
  PlanBench bench({}, "cached CPU balanced");
  Session session = bench.session();
  const Ids prompt = random_ids(300, 1);
  bench.engine.fail_after(3);  // bind, step, step, step
  const Status failed = session.prompt(prompt);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == Code::kDeviceLost);

  REQUIRE(session.prompt(prompt));

  CHECK(session.stats().reused_tokens == 256);
  CHECK(bench.engine.tokens_given() == 300 + 44);
  CHECK(say(session, 5) == reference_answer(bench.model, bench.view(), prompt, 5));
}

TEST_CASE("after a failed prompt another one starts from what they share") {
  PlanBench bench({}, "cached CPU balanced");
  Session session = bench.session();
  const Ids first = random_ids(300, 1);
  bench.engine.fail_after(3);
  REQUIRE_FALSE(session.prompt(first));
  const Ids second = joined(Ids(first.begin(), first.begin() + 270), random_ids(9, 2));

  REQUIRE(session.prompt(second));

  CHECK(session.stats().reused_tokens == 256);
  CHECK(say(session, 5) == reference_answer(bench.model, bench.view(), second, 5));
}

TEST_CASE("a graph that does not compile is an error of its own, and is tried again") {
  PlanBench bench({}, "cached CPU balanced");
  Session session = bench.session();
  const Ids prompt = random_ids(9, 1);
  bench.engine.fail_after(0);
  const Status failed = session.prompt(prompt);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == Code::kCompileFailed);
  CHECK(say(session, 5) == reference_answer(bench.model, bench.view(), prompt, 5));
}

TEST_CASE("logits that are no numbers are the device's fault") {
  PlanBench bench({}, "cached CPU balanced");
  Session session = bench.session();
  REQUIRE(session.prompt(random_ids(9, 1)));
  say(session, 2);
  bench.engine.spoil_logits_after(0);
  const Result<int32_t> id = session.next();
  REQUIRE_FALSE(id);
  CHECK(id.error().code == Code::kBadOutput);
}

}  // namespace
}  // namespace ovenbird
