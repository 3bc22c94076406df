// Command lists, queues, fences and events: what runs in which order, what waits for what, and what
// a fence says and when.
#include <doctest/doctest.h>

#include <cstring>
#include <numeric>

#include "driver.h"
#include "own_process.h"
#include "small_ir.h"

namespace npu_emulator {
namespace {

/// Makes a closed list of what `fill` appends.
template <typename Fill>
Handle closed_list(const Fill& fill) {
  Handle list = make_list();
  fill(list.get());
  REQUIRE(driver().close_list(list.get()) == ZeResult::kSuccess);
  return list;
}

ZeResult append_copy(ZeHandle list, void* to, const void* from, size_t bytes) {
  return driver().append_copy(list, to, from, bytes, nullptr, 0, nullptr);
}

TEST_CASE("lists of one submission run in their order and a list may run again") {
  const Lane lane;
  std::vector<int> numbers = {1, 2, 3, 4};
  const auto copies_from = [&](size_t from) {
    return closed_list(
        [&](ZeHandle list) { append_copy(list, &numbers[from + 1], &numbers[from], sizeof(int)); });
  };
  const Handle first = copies_from(0), second = copies_from(1), third = copies_from(2);
  ZeHandle lists[] = {third.get(), second.get(), first.get()};
  REQUIRE(driver().execute(lane.queue.get(), 3, lists, lane.fence.get()) == ZeResult::kSuccess);
  REQUIRE(lane.wait() == ZeResult::kSuccess);
  CHECK(numbers == std::vector{1, 1, 2, 3});
  REQUIRE(driver().execute(lane.queue.get(), 3, lists, lane.fence.get()) == ZeResult::kSuccess);
  REQUIRE(lane.wait() == ZeResult::kSuccess);
  CHECK(numbers == std::vector{1, 1, 1, 2});
}

TEST_CASE("an empty list and no list at all are done at once") {
  const Lane lane;
  const Handle empty = closed_list([](ZeHandle) {});
  CHECK(lane.run(empty.get()) == ZeResult::kSuccess);
  REQUIRE(driver().execute(lane.queue.get(), 0, nullptr, lane.fence.get()) == ZeResult::kSuccess);
  CHECK(lane.wait() == ZeResult::kSuccess);
  ZeHandle list = empty.get();
  CHECK(driver().execute(lane.queue.get(), 1, &list, nullptr) == ZeResult::kSuccess);  // no fence
}

TEST_CASE("a list that is open is not submitted") {
  const Lane lane;
  const Handle list = make_list();
  CHECK(lane.submit(list.get()) == ZeResult::kInvalidArgument);
  REQUIRE(driver().close_list(list.get()) == ZeResult::kSuccess);
  CHECK(lane.run(list.get()) == ZeResult::kSuccess);
  REQUIRE(driver().reset_list(list.get()) == ZeResult::kSuccess);
  CHECK(lane.submit(list.get()) == ZeResult::kInvalidArgument);
}

TEST_CASE("a list that was reset has nothing in it") {
  const Lane lane;
  int from = 7, to = 0;
  const Handle list = closed_list([&](ZeHandle open) { append_copy(open, &to, &from, sizeof to); });
  REQUIRE(driver().reset_list(list.get()) == ZeResult::kSuccess);
  REQUIRE(driver().close_list(list.get()) == ZeResult::kSuccess);
  CHECK(lane.run(list.get()) == ZeResult::kSuccess);
  CHECK(to == 0);
}

TEST_CASE("a submission takes the commands as they are and later changes are for later ones") {
  const Lane lane;
  const Handle gate = make_event();
  int from = 7, to = 0;
  const Handle list = closed_list([&](ZeHandle open) {
    ZeHandle event = gate.get();
    driver().append_wait(open, 1, &event);
    append_copy(open, &to, &from, sizeof to);
  });
  REQUIRE(lane.submit(list.get()) == ZeResult::kSuccess);
  REQUIRE(driver().reset_list(list.get()) == ZeResult::kSuccess);
  CHECK(lane.wait(0) == ZeResult::kNotReady);
  REQUIRE(driver().signal_event(gate.get()) == ZeResult::kSuccess);
  CHECK(lane.wait() == ZeResult::kSuccess);
  CHECK(to == 7);
}

TEST_CASE("a fence stays signalled until it is reset or submitted with again") {
  const Lane lane;
  const Handle gate = make_event(), quick = closed_list([](ZeHandle) {});
  const Handle waiting = closed_list([&](ZeHandle list) {
    ZeHandle event = gate.get();
    driver().append_wait(list, 1, &event);
  });
  CHECK(lane.wait(0) == ZeResult::kNotReady);  // never submitted with
  CHECK(lane.run(quick.get()) == ZeResult::kSuccess);
  CHECK(lane.wait(0) == ZeResult::kSuccess);
  REQUIRE(driver().reset_fence(lane.fence.get()) == ZeResult::kSuccess);
  CHECK(lane.wait(1'000'000) == ZeResult::kNotReady);
  CHECK(lane.run(quick.get()) == ZeResult::kSuccess);
  // Nobody resets it now, as when the plugin's wait has thrown.
  REQUIRE(lane.submit(waiting.get()) == ZeResult::kSuccess);
  CHECK(lane.wait(0) == ZeResult::kNotReady);
  driver().signal_event(gate.get());
  CHECK(lane.wait() == ZeResult::kSuccess);
}

TEST_CASE("a barrier and a copy wait for events and signal one") {
  const Lane lane;
  const Handle gate = make_event(), copied = make_event(), passed = make_event();
  int from = 7, to = 0;
  const Handle list = closed_list([&](ZeHandle open) {
    ZeHandle first = gate.get(), second = copied.get();
    driver().append_copy(open, &to, &from, sizeof to, copied.get(), 1, &first);
    driver().append_barrier(open, passed.get(), 1, &second);
  });
  REQUIRE(lane.submit(list.get()) == ZeResult::kSuccess);
  CHECK(driver().query_event(copied.get()) == ZeResult::kNotReady);
  CHECK(driver().wait_for_event(passed.get(), 0) == ZeResult::kNotReady);
  driver().signal_event(gate.get());
  CHECK(driver().wait_for_event(passed.get(), kForEver) == ZeResult::kSuccess);
  CHECK(driver().query_event(copied.get()) == ZeResult::kSuccess);
  CHECK(to == 7);
  REQUIRE(driver().reset_event(copied.get()) == ZeResult::kSuccess);
  CHECK(driver().query_event(copied.get()) == ZeResult::kNotReady);
  CHECK(lane.wait() == ZeResult::kSuccess);
}

TEST_CASE("two queues wait for each other through events") {
  const Lane ping, pong;
  const Handle there = make_event(), back = make_event();
  int ball = 0, first = 1, second = 2;
  const Handle hit = closed_list([&](ZeHandle list) {
    ZeHandle event = back.get();
    append_copy(list, &ball, &first, sizeof ball);
    driver().append_signal(list, there.get());
    driver().append_wait(list, 1, &event);
    driver().append_event_reset(list, back.get());
  });
  const Handle hit_back = closed_list([&](ZeHandle list) {
    ZeHandle event = there.get();
    driver().append_wait(list, 1, &event);
    driver().append_event_reset(list, there.get());
    append_copy(list, &ball, &second, sizeof ball);
    driver().append_signal(list, back.get());
  });
  for (int round = 0; round < 100; ++round) {
    REQUIRE(ping.submit(hit.get()) == ZeResult::kSuccess);
    REQUIRE(pong.submit(hit_back.get()) == ZeResult::kSuccess);
    REQUIRE(ping.wait() == ZeResult::kSuccess);
    REQUIRE(pong.wait() == ZeResult::kSuccess);
    CHECK(ball == 2);
  }
  CHECK(driver().query_event(there.get()) == ZeResult::kNotReady);
}

TEST_CASE("timestamps go forward") {
  const Lane lane;
  std::vector<uint64_t> stamps(3);
  const Handle list = closed_list([&](ZeHandle open) {
    for (uint64_t& stamp : stamps) driver().append_timestamp(open, &stamp, nullptr, 0, nullptr);
  });
  REQUIRE(lane.run(list.get()) == ZeResult::kSuccess);
  CHECK(stamps[0] > 0);
  CHECK(std::is_sorted(stamps.begin(), stamps.end()));
}

TEST_CASE("a graph may be initialized on the device and waits as any command") {
  const Lane lane;
  const Compiled made = compile(serialized(SmallIr{}));
  REQUIRE(made.result == ZeResult::kSuccess);
  const Handle done = make_event();
  const Handle list = closed_list([&](ZeHandle open) {
    CHECK(driver().graph.append_initialize(open, made.graph.get(), done.get(), 0, nullptr) ==
          ZeResult::kSuccess);
  });
  CHECK(driver().graph.initialize(made.graph.get()) == ZeResult::kSuccess);
  CHECK(lane.run(list.get()) == ZeResult::kSuccess);
  CHECK(driver().query_event(done.get()) == ZeResult::kSuccess);
}

TEST_CASE("an event pool is made and given back") {
  ZeHandle pool = nullptr;
  REQUIRE(driver().create_event_pool(nullptr, nullptr, 0, nullptr, &pool) == ZeResult::kSuccess);
  CHECK(pool != nullptr);
  CHECK(driver().destroy_event_pool(pool) == ZeResult::kSuccess);
}

TEST_CASE("copies are in the trace") {
  if (!in_own_process({})) return;
  const Lane lane;
  std::vector<char> from(100, 'x'), to(100);
  const Handle list =
      closed_list([&](ZeHandle open) { append_copy(open, to.data(), from.data(), 100); });
  REQUIRE(lane.run(list.get()) == ZeResult::kSuccess);
  CHECK(to == from);
  REQUIRE(traced("memory_copy").size() == 1);
  CHECK(traced("memory_copy")[0]["bytes"] == 100);
}

}  // namespace
}  // namespace npu_emulator
