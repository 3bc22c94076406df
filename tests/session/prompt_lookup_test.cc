// Prompt lookup: finds what a search through the whole history finds, and learns when to be silent.
#include "session/prompt_lookup.h"

#include <algorithm>
#include <random>
#include <vector>

#include <doctest/doctest.h>

#include "allocation_counter.h"

namespace ovenbird {
namespace {

using Ids = std::vector<int32_t>;

Ids propose(PromptLookup& lookup, size_t tokens) {
  Ids draft(tokens);
  draft.resize(lookup.propose(draft));
  return draft;
}

/// The definition: longest n-gram first, newest earlier place first, going on with the draft
/// itself.
Ids search_history(Ids history, size_t ngram_min, size_t ngram_max, size_t tokens) {
  const size_t size = history.size();
  for (size_t n = ngram_max; n >= ngram_min; --n) {
    for (size_t end = size; size > n && end-- > n;) {
      if (!std::equal(history.end() - n, history.end(), history.begin() + (end - n))) continue;
      for (size_t i = 0; i < tokens; ++i) history.push_back(history[end + i]);
      return Ids(history.end() - tokens, history.end());
    }
  }
  return {};
}

TEST_CASE("the draft is what followed the longest match, at its newest place") {
  PromptLookup lookup({.ngram_tokens_min = 1, .ngram_tokens_max = 2});
  lookup.append(Ids{1, 2, 3, 4, 9, 2, 5, 1, 2});

  CHECK(propose(lookup, 3) == Ids{3, 4, 9});  // "1 2", not the newer "2"
  lookup.push(5);
  CHECK(propose(lookup, 2) == Ids{1, 2});  // "2 5"
  lookup.push(7);
  CHECK(propose(lookup, 2) == Ids{});
}

TEST_CASE("a loop is drafted as a loop") {
  PromptLookup lookup({});
  lookup.append(Ids{8, 1, 2, 1, 2});
  CHECK(propose(lookup, 5) == Ids{1, 2, 1, 2, 1});
}

TEST_CASE("an empty history, a single token and an empty draft give none") {
  PromptLookup lookup({});
  CHECK(propose(lookup, 7).empty());
  lookup.push(1);
  CHECK(propose(lookup, 7).empty());
  lookup.push(1);
  CHECK(propose(lookup, 0).empty());
  CHECK(propose(lookup, 1) == Ids{1});
}

TEST_CASE("random streams with cuts: the index finds what a search of the history finds") {
  std::mt19937 random(5);
  for (int round = 0; round < 120; ++round) {
    const auto ngram_min = static_cast<uint32_t>(1 + random() % 3);
    const auto ngram_max = static_cast<uint32_t>(ngram_min + random() % 4);
    const auto vocabulary = 2 + random() % 12;
    PromptLookup lookup(
        {.ngram_tokens_min = ngram_min, .ngram_tokens_max = ngram_max, .salt = random()});
    Ids history;
    for (int step = 0; step < 300; ++step) {
      if (random() % 20 == 0) {
        const size_t left = random() % (history.size() + 2);
        lookup.truncate(left);
        history.resize(std::min(left, history.size()));
      } else {
        const auto id = static_cast<int32_t>(random() % vocabulary);
        lookup.push(id);
        history.push_back(id);
      }
      const size_t tokens = 1 + random() % 8;
      REQUIRE(lookup.size() == history.size());
      REQUIRE(propose(lookup, tokens) == search_history(history, ngram_min, ngram_max, tokens));
    }
  }
}

TEST_CASE("a long history that grows and is cut to nothing leaves an index that still works") {
  std::mt19937 random(6);
  PromptLookup lookup({});
  for (int round = 0; round < 3; ++round) {
    Ids history;
    for (int i = 0; i < 20'000; ++i) {
      history.push_back(static_cast<int32_t>(random() % 300));
      lookup.push(history.back());
    }
    for (size_t left = history.size(); left > 0; left -= std::min<size_t>(left, 997)) {
      lookup.truncate(left);
      history.resize(left);
      CHECK(propose(lookup, 3) == search_history(history, 1, 4, 3));
    }
    lookup.truncate(0);
    CHECK(propose(lookup, 3).empty());
  }
}

TEST_CASE("a refused draft silences its n-gram length, and silent hits bring it back") {
  PromptLookup lookup({.ngram_tokens_max = 1, .verify_cost_ratio = 1.8});
  lookup.append(Ids{1, 2, 3, 4, 5, 6, 7, 8, 9, 1});

  CHECK(propose(lookup, 4) == Ids{2, 3, 4, 5});  // the first one is a trial
  lookup.push(50);                               // refused at once
  lookup.push(1);
  CHECK(propose(lookup, 4).empty());
  CHECK(lookup.expected_tokens(1) < 0.8);

  // Since the last call there is a silent draft: 50, 1, 50, 1. Saying it restores the trust.
  for (const int32_t id : {50, 1, 50, 1}) {
    CHECK(propose(lookup, 4).empty());
    lookup.push(id);
  }
  CHECK(lookup.expected_tokens(1) > 0.8);
  CHECK(propose(lookup, 4) == Ids{50, 1, 50, 1});
}

TEST_CASE("a prompt or a cut between draft and answer is not held against the draft") {
  PromptLookup lookup({.verify_cost_ratio = 1.8});
  lookup.append(Ids{1, 2, 3, 1});
  const double before = lookup.expected_tokens(1);

  REQUIRE(!propose(lookup, 4).empty());
  lookup.append(Ids{9, 1});
  lookup.push(9);
  REQUIRE(!propose(lookup, 4).empty());
  lookup.truncate(6);
  lookup.push(7);

  CHECK(lookup.expected_tokens(1) == before);
}

struct Run {
  size_t steps = 0;
  size_t drafts = 0;
};

/// Says `text` the way a session would: a draft is verified, and its right beginning taken over.
Run say(PromptLookup& lookup, const Ids& text) {
  Run run;
  for (size_t at = 0; at < text.size();) {
    const Ids draft = propose(lookup, 7);
    ++run.steps;
    if (!draft.empty()) ++run.drafts;
    size_t accepted = 0;
    while (accepted < draft.size() && at + accepted + 1 < text.size() &&
           draft[accepted] == text[at + accepted]) {
      ++accepted;
    }
    for (size_t i = 0; i <= accepted; ++i) lookup.push(text[at++]);
  }
  return run;
}

TEST_CASE("text that repeats the prompt takes few steps, text that does not costs few drafts") {
  std::mt19937 random(9);
  Ids prompt(1000);
  for (int32_t& id : prompt) id = static_cast<int32_t>(random() % 500);
  Ids fresh(1000);
  for (int32_t& id : fresh) id = static_cast<int32_t>(random() % 500);
  PromptLookup copying({.verify_cost_ratio = 1.8});
  PromptLookup inventing({.verify_cost_ratio = 1.8});
  copying.append(prompt);
  inventing.append(prompt);

  const Run copied = say(copying, prompt);
  const Run invented = say(inventing, fresh);

  CHECK(copied.steps < 160);  // 125 if every draft of 7 were right
  CHECK(invented.drafts < 20);
}

TEST_CASE("within what was reserved nothing is allocated") {
  PromptLookup lookup({});
  lookup.reserve(2000);
  Ids draft(7);
  lookup.append(Ids{1, 1, 1});
  lookup.propose(draft);  // the first draft makes the room for the copies of later ones

  const size_t before = allocations_so_far();
  for (int32_t i = 0; i < 1900; ++i) {
    lookup.push(i % 37);
    lookup.propose(draft);
  }
  lookup.truncate(100);
  const size_t after = allocations_so_far();

  CHECK(after - before == 0);
}

}  // namespace
}  // namespace ovenbird
