// Taking things down at the worst moment: right after the fence was seen, when the queue's thread
// is still on its way out, with work pending, from several threads at once. What is wrong here
// shows as a crash, or to a sanitizer.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "driver.h"
#include "own_process.h"
#include "small_ir.h"

namespace npu_emulator {
namespace {

constexpr int kThreads = 4;
constexpr int kRounds = 1000;  // a thread

/// Runs `work(thread)` on several threads at once. It returns how many things went wrong.
template <typename Work>
void on_threads(const Work& work) {
  driver();
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int number = 0; number < kThreads; ++number) {
    threads.emplace_back([&, number] { wrong += work(number); });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("queue and fence and list go the moment the fence is seen") {
  on_threads([](int thread) {
    int wrong = 0;
    const Recorded recorded = record(serialized(SmallIr{}));
    for (int round = 0; round < kRounds; ++round) {
      const auto value = static_cast<float>(thread * kRounds + round);
      recorded.numbers(0)[0] = value;
      const Lane lane;
      wrong += lane.run(recorded.list.get()) != ZeResult::kSuccess;
      wrong += recorded.numbers(2)[0] != value;
    }
    return wrong;
  });
}

TEST_CASE("a graph goes with all of its memory the moment the fence is seen") {
  const std::vector<uint8_t> ir = serialized(SmallIr{});
  on_threads([&ir](int) {
    int wrong = 0;
    const Lane lane;
    for (int round = 0; round < kRounds; ++round) {
      wrong += lane.run(record(ir).list.get()) != ZeResult::kSuccess;
    }
    return wrong;
  });
}

TEST_CASE("a queue that is destroyed does first what was submitted") {
  on_threads([](int) {
    int wrong = 0;
    const Recorded recorded = record(serialized(SmallIr{}));
    for (int round = 0; round < kRounds / 4; ++round) {
      Handle queue = make_queue();
      const Handle first = make_fence(), last = make_fence();
      ZeHandle list = recorded.list.get();
      for (int job = 0; job < 5; ++job) driver().execute(queue.get(), 1, &list, first.get());
      driver().execute(queue.get(), 1, &list, last.get());
      queue.reset();
      wrong += driver().wait_for_fence(last.get(), 0) != ZeResult::kSuccess;
    }
    return wrong;
  });
}

TEST_CASE("what was submitted outlives the handles of its list and graph and fence") {
  const std::vector<uint8_t> ir = serialized(SmallIr{});
  on_threads([&ir](int) {
    int wrong = 0;
    for (int round = 0; round < kRounds / 4; ++round) {
      const Handle gate = make_event(), done = make_event();
      Handle queue = make_queue();
      std::vector<Handle> memory;
      {
        Recorded recorded = record(ir);
        const Handle fence = make_fence(), before = make_list(), after = make_list();
        ZeHandle event = gate.get();
        driver().append_wait(before.get(), 1, &event);
        driver().append_signal(after.get(), done.get());
        driver().close_list(before.get());
        driver().close_list(after.get());
        ZeHandle lists[] = {before.get(), recorded.list.get(), after.get()};
        wrong += driver().execute(queue.get(), 3, lists, fence.get()) != ZeResult::kSuccess;
        memory = std::move(recorded.memory);
      }
      driver().signal_event(gate.get());
      wrong += driver().wait_for_event(done.get(), kForEver) != ZeResult::kSuccess;
    }
    return wrong;
  });
}

TEST_CASE("many threads wait for one fence") {
  const Handle gate = make_event(), list = make_list();
  ZeHandle event = gate.get();
  driver().append_wait(list.get(), 1, &event);
  driver().close_list(list.get());
  const Lane lane;
  REQUIRE(lane.submit(list.get()) == ZeResult::kSuccess);
  on_threads([&](int thread) {
    if (thread == 0) driver().signal_event(gate.get());
    return lane.wait() == ZeResult::kSuccess ? 0 : 1;
  });
}

TEST_CASE("many threads use one queue and every submission has a number of its own") {
  if (!in_own_process({})) return;
  const Handle queue = make_queue();
  on_threads([&](int) {
    int wrong = 0;
    const Recorded recorded = record(serialized(SmallIr{}));
    const Handle fence = make_fence();
    ZeHandle list = recorded.list.get();
    for (int round = 0; round < 100; ++round) {
      driver().execute(queue.get(), 1, &list, fence.get());
      wrong += driver().wait_for_fence(fence.get(), kForEver) != ZeResult::kSuccess;
    }
    return wrong;
  });
  for (const char* event : {"submission", "execution"}) {
    std::vector<int> numbers;
    for (const auto& line : traced(event[0] == 's' ? "submit" : "execute")) {
      numbers.push_back(line[event]);
    }
    std::sort(numbers.begin(), numbers.end());
    REQUIRE(numbers.size() == 100 * kThreads);
    CHECK(numbers.front() == 1);
    CHECK(numbers.back() == 100 * kThreads);
    CHECK(std::adjacent_find(numbers.begin(), numbers.end()) == numbers.end());
  }
}

TEST_CASE("memory comes and goes on many threads") {
  on_threads([](int) {
    int wrong = 0;
    for (int round = 0; round < kRounds; ++round) {
      const Handle memory = make_memory(100);
      ZeAllocationProperties properties{};
      driver().get_allocation(nullptr, memory.get(), &properties, nullptr);
      wrong += properties.type != kZeMemoryHost;
    }
    return wrong;
  });
}

}  // namespace
}  // namespace npu_emulator
