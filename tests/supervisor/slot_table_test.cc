// Who gets which slot: by hand, and against a plain model of it over random events.
#include "supervisor/slot_table.h"

#include <algorithm>
#include <random>
#include <set>

#include <doctest/doctest.h>

namespace ovenbird {
namespace {

SlotTable::Grant granted(SlotTable& table, uint64_t session) {
  const Result<std::optional<SlotTable::Grant>> grant = table.begin(session);
  REQUIRE(grant);
  REQUIRE(*grant);
  CHECK((*grant)->session == session);
  return **grant;
}

void waits(SlotTable& table, uint64_t session) {
  const Result<std::optional<SlotTable::Grant>> grant = table.begin(session);
  REQUIRE(grant);
  CHECK_FALSE(*grant);
}

TEST_CASE("free slots are given first, then the one that has been idle longest") {
  SlotTable table(2, 8);
  CHECK(granted(table, 10).evicted == SlotTable::kNobody);
  CHECK(granted(table, 20).evicted == SlotTable::kNobody);
  CHECK(table.used() == 2);
  table.end(20);
  table.end(10);
  const SlotTable::Grant grant = granted(table, 30);
  CHECK(grant.evicted == 20);
  CHECK_FALSE(table.slot_of(20));
  CHECK(table.slot_of(30) == grant.slot);
  CHECK(table.session_in(grant.slot) == 30);
}

TEST_CASE("a session that still has its slot keeps it") {
  SlotTable table(2, 8);
  const uint32_t slot = granted(table, 10).slot;
  table.end(10);
  const SlotTable::Grant again = granted(table, 10);
  CHECK(again.slot == slot);
  CHECK(again.evicted == SlotTable::kNobody);
}

TEST_CASE("to end what was over changes nothing") {
  SlotTable table(2, 8);
  granted(table, 10);
  granted(table, 20);
  table.end(10);
  table.end(20);
  table.end(10);  // it has been idle since before 20 was
  CHECK(granted(table, 30).evicted == 10);
}

TEST_CASE("who waits is served in order, and nobody overtakes") {
  SlotTable table(1, 3);
  granted(table, 1);
  for (const uint64_t session : {2, 3, 4}) waits(table, session);
  CHECK(table.waiting() == 3);
  const auto refused = table.begin(5);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::kBusy);
  CHECK_FALSE(table.grant_next());
  table.end(1);
  // 1 comes again while others wait: it still has its slot, and the queue is behind it.
  for (uint64_t next = 2; next <= 4; ++next) {
    const auto grant = table.grant_next();
    REQUIRE(grant);
    CHECK(grant->session == next);
    CHECK(grant->evicted == next - 1);
    CHECK_FALSE(table.grant_next());
    table.end(next);
  }
  CHECK(table.waiting() == 0);
}

TEST_CASE("one who comes new does not overtake those who wait for the slot that is free now") {
  SlotTable table(1, 3);
  granted(table, 1);
  waits(table, 2);
  table.end(1);
  waits(table, 3);
  CHECK(table.grant_next()->session == 2);
}

TEST_CASE("a session whose turn waits may end, or be gone") {
  SlotTable table(1, 3);
  granted(table, 1);
  waits(table, 2);
  waits(table, 3);
  waits(table, 4);
  table.end(2);
  table.remove(3);
  CHECK(table.waiting() == 1);
  table.end(1);
  CHECK(table.grant_next()->session == 4);
}

TEST_CASE("who is gone leaves its slot free") {
  SlotTable table(2, 3);
  const uint32_t slot = granted(table, 1).slot;
  granted(table, 2);
  table.remove(1);
  CHECK(table.used() == 1);
  CHECK_FALSE(table.slot_of(1));
  const SlotTable::Grant grant = granted(table, 3);
  CHECK(grant.slot == slot);
  CHECK(grant.evicted == SlotTable::kNobody);
}

TEST_CASE("without a queue there is no waiting") {
  SlotTable table(1, 0);
  granted(table, 1);
  CHECK_FALSE(table.begin(2));
  table.end(1);
  CHECK(granted(table, 2).evicted == 1);
}

TEST_CASE("a slot is taken from nobody for what has no turn") {
  SlotTable table(2, 3);
  CHECK(table.take_free(1) == 0);
  CHECK(table.take_free(2) == 1);
  CHECK_FALSE(table.take_free(3));
  table.remove(1);
  CHECK(table.take_free(3) == 0);
}

TEST_CASE("what a supervisor before has written is believed only as far as it can be") {
  SlotTable table(2, 3);
  CHECK(table.restore(7, 1));
  CHECK_FALSE(table.restore(8, 1));
  CHECK_FALSE(table.restore(9, 2));
  CHECK_FALSE(table.restore(9, 0xffff'ffff));
  CHECK(table.slot_of(7) == 1);
  CHECK_FALSE(table.slot_of(8));
  CHECK_FALSE(table.slot_of(SlotTable::kNobody));
}

/// What must hold whatever happens: a stepped session has a slot to itself; nobody waits while a
/// slot is to be had; the bound of the queue is kept.
TEST_CASE("over random events nobody loses what it is being stepped in") {
  std::mt19937 random(1);
  const auto below = [&](uint32_t most) { return static_cast<uint32_t>(random() % most); };
  for (int round = 0; round < 200; ++round) {
    const uint32_t slots = 1 + below(4);
    const uint32_t queue = below(5);
    SlotTable table(slots, queue);
    std::set<uint64_t> stepped;
    std::set<uint64_t> waiting;
    const auto take = [&](const SlotTable::Grant& grant) {
      CHECK(stepped.count(grant.evicted) == 0);
      CHECK(stepped.insert(grant.session).second);
      CHECK(table.session_in(grant.slot) == grant.session);
    };
    for (int event = 0; event < 300; ++event) {
      const uint64_t session = 1 + below(8);
      const bool is_busy = stepped.count(session) + waiting.count(session) > 0;
      if (const uint32_t what = below(8); what < 4 && !is_busy) {
        const auto grant = table.begin(session);
        CHECK(grant.has_value() == (waiting.size() < queue || (grant && *grant)));
        if (grant && *grant) take(**grant);
        if (grant && !*grant) waiting.insert(session);
      } else if (what < 7) {
        table.end(session);
        stepped.erase(session);
        waiting.erase(session);
      } else {
        table.remove(session);
        stepped.erase(session);
        waiting.erase(session);
        CHECK_FALSE(table.slot_of(session));
      }
      while (const auto grant = table.grant_next()) {
        CHECK(waiting.erase(grant->session) == 1);
        take(*grant);
      }
      CHECK(table.waiting() == waiting.size());
      CHECK((waiting.empty() || stepped.size() == slots));
      for (const uint64_t one : stepped) CHECK(table.slot_of(one));
    }
  }
}

}  // namespace
}  // namespace ovenbird
