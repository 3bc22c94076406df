// futex_wait: sleeps while the number is what was seen, also on memory that it can only read; wakes
// across processes. No case waits for time to pass, but for the one that asks for a millisecond.
#include "base/futex.h"

#include <atomic>
#include <chrono>
#include <list>
#include <utility>

#include <doctest/doctest.h>

#include "base/shared_memory.h"
#include "support/forked_process.h"

namespace ovenbird {
namespace {

using Word = std::atomic<uint32_t>;
using std::chrono::hours;

struct Words {
  Word turnstile;  // counts who is about to sleep
  Word bell;
};

TEST_CASE("a number that is another one by now is not waited for") {
  const Word word = 2;
  futex_wait(word, 1, hours(1));
}

TEST_CASE("no time is no sleep, and a sleep ends without anybody's help") {
  const Word word = 1;
  futex_wait(word, 1, std::chrono::nanoseconds(0));
  futex_wait(word, 1, std::chrono::nanoseconds(-5));
  futex_wait(word, 1, std::chrono::nanoseconds::min());
  futex_wait(word, 1, std::chrono::nanoseconds(1));
  futex_wait(word, 1, std::chrono::milliseconds(1));
  CHECK(word == 1);
}

TEST_CASE("the longest time that can be said is taken") {
  const Word word = 2;
  futex_wait(word, 1, std::chrono::nanoseconds::max());
}

TEST_CASE("all who sleep on memory that they can only read wake, in every process") {
  const auto memory = SharedMemory::create_unnamed(sizeof(Words));
  REQUIRE(memory);
  auto& words = *reinterpret_cast<Words*>(memory->bytes().data());

  std::list<ForkedProcess> sleepers;
  for (uint32_t i = 0; i < 3; ++i) {
    sleepers.emplace_back([&] {
      auto seen = memory->read_only_descriptor();
      if (!seen) return false;
      const auto mapped = SharedMemory::map(std::move(*seen), sizeof(Words), Access::kRead);
      if (!mapped) return false;
      const auto& read_only = *reinterpret_cast<const Words*>(mapped->bytes().data());
      ++words.turnstile;
      while (read_only.bell == 0) futex_wait(read_only.bell, 0, hours(1));
      return true;
    });
    while (words.turnstile <= i) ::sched_yield();
    sleepers.back().wait_until_it_sleeps();
  }
  words.bell = 1;
  futex_wake(words.bell);

  for (ForkedProcess& sleeper : sleepers) CHECK(sleeper.ends_well());
}

TEST_CASE("waking where nobody sleeps is nothing") {
  const Word word = 0;
  futex_wake(word);
}

}  // namespace
}  // namespace ovenbird
