// A session: what it recomputes of a prompt, and how drafts leave the text alone.
#include "session/session.h"

#include <doctest/doctest.h>

#include "plan_bench.h"

namespace ovenbird {
namespace {

constexpr ToyBundle kSmall{.context = 96, .past = 96, .short_past = 48};

constexpr ToyBundle kMedium{.context = 300, .past = 256, .short_past = 128};

/// Sampling that uses history, position and seed.
SamplingOptions drawn(uint64_t seed) {
  return {.temperature = 0.8f,
          .top_k = 40,
          .top_p = 0.95f,
          .repetition_penalty = 1.05f,
          .presence_penalty = 0.1f,
          .seed = seed};
}

/// A text of few words that come back.
Ids repetitive_ids(size_t count, uint32_t seed) {
  const Ids phrase = random_ids(9, seed);
  std::mt19937 random(seed);
  Ids ids;
  while (ids.size() < count) {
    const auto first = phrase.begin() + random() % 5;
    ids.insert(ids.end(), first, phrase.end());
  }
  ids.resize(count);
  return ids;
}

TEST_CASE("a prompt that goes on where the answer ended computes only what is new") {
  for (const std::string& graphs : cache_graph_names()) {
    CAPTURE(graphs);
    PlanBench bench({}, graphs);
    Session session = bench.session();
    Ids history = random_ids(50, 1);
    REQUIRE(session.prompt(history));
    history = joined(history, say(session, 10));
    const uint64_t given = bench.engine.tokens_given();
    CHECK(given == 59);  // the newest token has not been computed yet
    history = joined(history, random_ids(20, 2));

    REQUIRE(session.prompt(history));

    CHECK(session.stats().prompt_tokens == 80);
    CHECK(session.stats().reused_tokens == 59);
    CHECK(bench.engine.tokens_given() - given == 21);
    CHECK(say(session, 20) == reference_answer(bench.model, bench.view(), history, 20));
  }
}

TEST_CASE("a prompt shares what it can with the one before, to the exact token") {
  PlanBench bench({}, "cached CPU fast");
  Session session = bench.session();
  const Ids first = random_ids(300, 1);
  for (const size_t shared : {0, 1, 2, 8, 127, 128, 129, 298, 299}) {
    CAPTURE(shared);
    REQUIRE(session.prompt(first));
    Ids second(first.begin(), first.begin() + shared);
    second.push_back((first[shared] + 1) % 64);
    second = joined(second, random_ids(5, 2));
    const uint64_t given = bench.engine.tokens_given();

    REQUIRE(session.prompt(second));

    CHECK(session.stats().reused_tokens == shared);
    CHECK(bench.engine.tokens_given() - given == second.size() - shared);
    CHECK(say(session, 6) == reference_answer(bench.model, bench.view(), second, 6));
  }
}

TEST_CASE("the same prompt again computes its last token only, and gives the same answer") {
  PlanBench bench({}, "cached CPU balanced");
  Session session = bench.session();
  const Ids prompt = random_ids(200, 3);
  REQUIRE(session.prompt(prompt));
  const Ids answer = say(session, 30);
  const uint64_t given = bench.engine.tokens_given();

  REQUIRE(session.prompt(prompt));

  CHECK(bench.engine.tokens_given() - given == 1);
  CHECK(say(session, 30) == answer);
}

TEST_CASE("a prompt that is the beginning of the one before computes its last token only") {
  PlanBench bench({}, "cached CPU balanced");
  Session session = bench.session();
  const Ids prompt = random_ids(200, 3);
  REQUIRE(session.prompt(prompt));
  const Ids beginning(prompt.begin(), prompt.begin() + 77);

  REQUIRE(session.prompt(beginning));

  CHECK(session.stats().reused_tokens == 76);
  CHECK(say(session, 30) == reference_answer(bench.model, bench.view(), beginning, 30));
}

TEST_CASE("after rows were dropped, a new turn still computes only what is new") {
  for (const std::string& graphs : cache_graph_names()) {
    CAPTURE(graphs);
    PlanBench bench(kSmall, graphs);
    Session session = bench.session();
    Ids history = random_ids(90, 4);
    REQUIRE(session.prompt(history));
    history = joined(history, say(session, 100));
    const uint64_t given = bench.engine.tokens_given();
    CHECK(given == history.size() - 1);
    history = joined(history, random_ids(7, 5));

    REQUIRE(session.prompt(history));

    CHECK(bench.engine.tokens_given() - given == 8);
    CHECK(say(session, 60) == reference_answer(bench.model, bench.view(), history, 60));
  }
}

TEST_CASE("a new turn that takes back tokens behind the dropped ones computes only what is new") {
  PlanBench bench(kSmall, "cached CPU fast");
  Session session = bench.session();
  Ids history = random_ids(120, 4);
  REQUIRE(session.prompt(history));
  ReferenceView view = bench.view();
  view.push(history);
  history.resize(100);
  view.truncate(100);
  history = joined(history, random_ids(30, 5));
  const uint64_t given = bench.engine.tokens_given();

  REQUIRE(session.prompt(history));

  CHECK(bench.engine.tokens_given() - given == 30);
  CHECK(say(session, 50) == reference_answer(bench.model, view, history, 50, {}, 100));
}

TEST_CASE("a new turn that takes back the dropped tokens begins anew") {
  for (const size_t shared : {1, 4, 40, 49}) {
    CAPTURE(shared);
    PlanBench bench(kSmall, "cached CPU fast");
    Session session = bench.session();
    const Ids first = random_ids(120, 4);
    REQUIRE(session.prompt(first));
    const Ids second = joined(Ids(first.begin(), first.begin() + shared), random_ids(10, 6));
    const uint64_t given = bench.engine.tokens_given();

    REQUIRE(session.prompt(second));

    CHECK(session.stats().reused_tokens == 0);
    CHECK(bench.engine.tokens_given() - given == second.size());
    CHECK(say(session, 200) == reference_answer(bench.model, bench.view(), second, 200));
  }
}

TEST_CASE("a plan that another session has used serves a new one") {
  PlanBench bench({}, "cached CPU balanced");
  Session first = bench.session();
  REQUIRE(first.prompt(random_ids(20, 1)));
  say(first, 5);
  Session second = bench.session();
  const Ids prompt = random_ids(30, 2);
  REQUIRE(second.prompt(prompt));
  CHECK(second.stats().reused_tokens == 0);
  CHECK(say(second, 5) == reference_answer(bench.model, bench.view(), prompt, 5));
}

TEST_CASE("a prompt without tokens or with an unknown one is refused and changes nothing") {
  PlanBench bench({}, "cached CPU balanced");
  Session session = bench.session();
  const Ids prompt = random_ids(20, 1);
  REQUIRE(session.prompt(prompt));
  const Ids answer = say(session, 3);
  for (const Ids& wrong : {Ids{}, Ids{1, -1}, Ids{64}}) {
    const Status refused = session.prompt(wrong);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::kInvalidArgument);
  }
  const Ids more = say(session, 3);
  CHECK(joined(answer, more) == reference_answer(bench.model, bench.view(), prompt, 6));
}

TEST_CASE("sampling options that are out of range are refused") {
  PlanBench bench({}, "cached CPU balanced");
  const Result<Session> session =
      Session::create(*bench.plan, 64, {.sampling = {.temperature = -1}});
  REQUIRE_FALSE(session);
  CHECK(session.error().code == Code::kInvalidArgument);
}

TEST_CASE("drafts leave the text as it is, greedy or drawn, and the next turn too") {
  for (const std::string& graphs : cache_graph_names()) {
    for (uint32_t seed = 0; seed < 12; ++seed) {
      CAPTURE(graphs);
      CAPTURE(seed);
      const SamplingOptions sampling = seed % 2 ? drawn(seed) : SamplingOptions{};
      PlanBench bench(seed % 4 < 2 ? kSmall : kMedium, graphs);
      Session session = bench.session({.sampling = sampling, .drafts = true, .draft_salt = seed});
      Ids history = repetitive_ids(20 + 13 * seed, seed);
      REQUIRE(session.prompt(history));
      const Ids answer = say(session, 150);
      CHECK(answer == reference_answer(bench.model, bench.view(), history, 150, sampling));

      // What was said beyond the last token given is taken back.
      history = joined(joined(history, answer), repetitive_ids(11, seed));
      ReferenceView view = bench.view();
      view.push(history);
      const size_t dropped = view.dropped();
      REQUIRE(session.prompt(history));
      const Ids next = say(session, 20);
      if (session.stats().reused_tokens > dropped) {
        CHECK(next == reference_answer(bench.model, bench.view(), history, 20, sampling));
      }
    }
  }
}

TEST_CASE("drafts are accepted where the text repeats itself, and save steps") {
  for (const std::string graphs :
       {"cached CPU lean", "cached CPU fast", "cached NPU lean", "cached NPU fast", "dynamic"}) {
    CAPTURE(graphs);
    PlanBench bench({}, graphs);
    Session session = bench.session({.drafts = true});
    const Ids prompt = repetitive_ids(60, 5);
    REQUIRE(session.prompt(prompt));
    say(session, 300);
    const SessionStats stats = session.stats();
    CHECK(stats.accepted_tokens > 50);
    CHECK(stats.drafted_tokens >= stats.accepted_tokens);
    CHECK(stats.decode_steps + stats.accepted_tokens >= 299);
    CHECK(stats.decode_steps < 250);
  }
}

TEST_CASE("no draft is made where no graph gives several rows of logits") {
  for (const std::string graphs : {"cached CPU balanced", "cached NPU balanced"}) {
    PlanBench bench({}, graphs);
    Session session = bench.session({.drafts = true});
    REQUIRE(session.prompt(repetitive_ids(60, 5)));
    say(session, 100);
    CHECK(session.stats().drafted_tokens == 0);
  }
}

TEST_CASE("the window plan verifies drafts while it does not slide") {
  PlanBench bench({}, "window");
  Session session = bench.session({.drafts = true});
  const Ids prompt = repetitive_ids(40, 5);
  REQUIRE(session.prompt(prompt));
  CHECK(say(session, 300) == reference_answer(bench.model, bench.view(), prompt, 300));
  CHECK(session.stats().accepted_tokens > 0);
}

TEST_CASE("after refused drafts a new turn computes only what is new") {
  PlanBench bench({}, "cached NPU lean");  // drafts cost nothing, so all are made
  Session session = bench.session({.drafts = true});
  Ids history = repetitive_ids(60, 9);
  uint64_t refused = 0;
  for (uint32_t turn = 0; turn < 8; ++turn) {
    REQUIRE(session.prompt(history));
    history = joined(history, say(session, 20));
    refused += session.stats().drafted_tokens - session.stats().accepted_tokens;
    const uint64_t given = bench.engine.tokens_given();
    history = joined(history, random_ids(4, turn));
    REQUIRE(session.prompt(history));
    CHECK(bench.engine.tokens_given() - given <= 5);
    CHECK(session.stats().reused_tokens + bench.engine.tokens_given() - given == history.size());
  }
  CHECK(refused > 0);
}

}  // namespace
}  // namespace ovenbird
