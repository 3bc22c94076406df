// Fair stepping: counted over many steps of different length.
#include "worker/fair_share.h"

#include <doctest/doctest.h>

#include <array>

namespace ovenbird {
namespace {

using std::chrono::milliseconds;

TEST_CASE("without work there is nobody to step") {
  FairShare share(3);
  CHECK_FALSE(share.next());
  share.begin(1);
  CHECK(share.next() == 1);
  share.end(1);
  CHECK_FALSE(share.next());
}

TEST_CASE("equals take turns") {
  FairShare share(3);
  for (uint32_t slot = 0; slot < 3; ++slot) share.begin(slot);
  std::array<int, 3> stepped{};
  for (int step = 0; step < 300; ++step) {
    const uint32_t slot = *share.next();
    ++stepped[slot];
    share.charge(slot, milliseconds(5));
  }
  CHECK(stepped == std::array{100, 100, 100});
}

TEST_CASE("a slot with long steps gets as much time as one with short steps") {
  FairShare share(2);
  share.begin(0);
  share.begin(1);
  const std::array<milliseconds, 2> step_time{milliseconds(50), milliseconds(5)};
  std::array<milliseconds, 2> had{};
  for (int step = 0; step < 1100; ++step) {
    const uint32_t slot = *share.next();
    had[slot] += step_time[slot];
    share.charge(slot, step_time[slot]);
  }
  CHECK(had[0] == had[1]);
}

TEST_CASE("who begins late is owed nothing, and who waits is not overtaken for ever") {
  FairShare share(3);
  share.begin(0);
  for (int step = 0; step < 1000; ++step) share.charge(*share.next(), milliseconds(5));
  share.begin(1);
  std::array<int, 3> stepped{};
  for (int step = 0; step < 100; ++step) {
    const uint32_t slot = *share.next();
    ++stepped[slot];
    share.charge(slot, milliseconds(5));
  }
  CHECK(stepped[0] == 50);
  CHECK(stepped[1] == 50);
}

TEST_CASE("to begin twice changes nothing") {
  FairShare share(2);
  share.begin(0);
  share.begin(1);
  share.charge(0, milliseconds(5));
  share.begin(0);
  CHECK(share.next() == 1);
}

}  // namespace
}  // namespace ovenbird
