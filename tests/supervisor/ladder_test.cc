// Which device is next, after every kind of death, with a clock of our own.
#include "supervisor/ladder.h"

#include <doctest/doctest.h>

namespace ovenbird {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Time = Ladder::Time;

const std::vector<std::string> kDevices = {"NPU", "GPU", "CPU"};
const Error kLost{Code::kDeviceLost, "it was lost"};

Ladder ladder_of(std::vector<std::string> devices = kDevices, bool fallback = true) {
  return Ladder(std::move(devices), fallback, CrashBudget{});
}

/// An hour after the clock began: times before it may be asked about.
Time at(std::chrono::nanoseconds time) {
  return Time{} + std::chrono::hours(1) + std::chrono::duration_cast<Time::duration>(time);
}

TEST_CASE("the first device is used for as long as nothing happens") {
  Ladder ladder = ladder_of();
  CHECK(ladder.device(at(seconds(0))) == "NPU");
  CHECK(ladder.device(at(std::chrono::hours(1000))) == "NPU");
  CHECK(ladder.reasons().empty());
}

TEST_CASE("a device that cannot be used is passed over at once, and for good") {
  for (const Code code : {Code::kNoDevice, Code::kCompileFailed}) {
    Ladder ladder = ladder_of();
    ladder.died("NPU", {code, "why not"}, at(seconds(0)));
    CHECK(ladder.device(at(seconds(0))) == "GPU");
    CHECK(ladder.device(at(std::chrono::hours(1000))) == "GPU");
    CHECK(ladder.reasons() == "NPU: why not");
  }
}

TEST_CASE("a device without enough memory is passed over at once, and tried again later") {
  Ladder ladder = ladder_of();
  ladder.died("NPU", {Code::kOutOfMemory, "too large"}, at(seconds(0)));
  CHECK(ladder.device(at(seconds(0))) == "GPU");
  CHECK(ladder.device(at(minutes(10) + milliseconds(1))) == "NPU");
}

TEST_CASE("no device that can be used: there is none, and each says why") {
  Ladder ladder = ladder_of();
  for (const std::string& device : kDevices) {
    ladder.died(device, {Code::kNoDevice, "no " + device}, at(seconds(0)));
  }
  CHECK_FALSE(ladder.device(at(seconds(0))));
  CHECK(ladder.reasons() == "NPU: no NPU; GPU: no GPU; CPU: no CPU");
}

TEST_CASE("so many deaths within the window, and the next device's turn has come") {
  Ladder ladder = ladder_of();
  for (int death = 0; death < 3; ++death) {
    CHECK(ladder.device(at(seconds(death))) == "NPU");
    ladder.died("NPU", kLost, at(seconds(death)));
  }
  CHECK(ladder.device(at(seconds(3))) == "GPU");
}

TEST_CASE("deaths that are far apart never move anything") {
  Ladder ladder = ladder_of();
  for (int death = 0; death < 100; ++death) {
    const Time now = at(minutes(6) * death);  // never 3 within 10 minutes
    CHECK(ladder.device(now) == "NPU");
    ladder.died("NPU", kLost, now);
  }
}

TEST_CASE("the window is as long as it says") {
  const auto after_third_at = [](std::chrono::nanoseconds third) {
    Ladder ladder(kDevices, true, {.forgiven_after = std::chrono::hours(100)});
    ladder.died("NPU", kLost, at(seconds(0)));
    ladder.died("NPU", kLost, at(seconds(1)));
    ladder.died("NPU", kLost, at(third));
    return *ladder.device(at(third));
  };
  CHECK(after_third_at(minutes(10) - milliseconds(1)) == "GPU");
  CHECK(after_third_at(minutes(10)) == "GPU");
  CHECK(after_third_at(minutes(10) + milliseconds(1)) == "NPU");
}

TEST_CASE("a quiet time forgives one death") {
  const CrashBudget budget{.window = std::chrono::hours(100), .forgiven_after = minutes(10)};
  Ladder ladder(kDevices, true, budget);
  for (int death = 0; death < 3; ++death) ladder.died("NPU", kLost, at(seconds(0)));
  CHECK(ladder.device(at(minutes(10) - milliseconds(1))) == "GPU");
  CHECK(ladder.device(at(minutes(10))) == "NPU");
  ladder.died("NPU", kLost, at(minutes(10)));  // two were left
  CHECK(ladder.device(at(minutes(10))) == "GPU");
  CHECK(ladder.device(at(minutes(40))) == "NPU");  // all are forgiven
  for (int death = 0; death < 2; ++death) ladder.died("NPU", kLost, at(minutes(41)));
  CHECK(ladder.device(at(minutes(41))) == "NPU");
}

TEST_CASE("asking often forgives no more than asking once") {
  const CrashBudget budget{.window = std::chrono::hours(100), .forgiven_after = minutes(10)};
  Ladder often(kDevices, true, budget);
  Ladder once(kDevices, true, budget);
  for (Ladder* ladder : {&often, &once}) {
    for (int death = 0; death < 5; ++death) ladder->died("NPU", kLost, at(seconds(0)));
  }
  for (int minute = 0; minute < 29; ++minute) CHECK(often.device(at(minutes(minute))) == "GPU");
  CHECK(once.device(at(minutes(29))) == "GPU");
  CHECK(often.device(at(minutes(30))) == "NPU");
  CHECK(once.device(at(minutes(30))) == "NPU");
}

TEST_CASE("the last device is used however often it dies") {
  Ladder ladder = ladder_of({"CPU"});
  for (int death = 0; death < 100; ++death) {
    ladder.died("CPU", kLost, at(seconds(0)));
    CHECK(ladder.device(at(seconds(0))) == "CPU");
  }
}

TEST_CASE("when all have died too often, the last one that can be used is used") {
  Ladder ladder = ladder_of();
  ladder.died("CPU", {Code::kNoDevice, "none"}, at(seconds(0)));
  for (int death = 0; death < 3; ++death) {
    ladder.died("NPU", kLost, at(seconds(0)));
    ladder.died("GPU", kLost, at(seconds(0)));
  }
  CHECK(ladder.device(at(seconds(0))) == "GPU");
}

TEST_CASE("deaths of one device are not another's") {
  Ladder ladder = ladder_of();
  for (int death = 0; death < 3; ++death) ladder.died("GPU", kLost, at(seconds(0)));
  CHECK(ladder.device(at(seconds(0))) == "NPU");
  for (int death = 0; death < 3; ++death) ladder.died("NPU", kLost, at(seconds(0)));
  CHECK(ladder.device(at(seconds(0))) == "CPU");
}

TEST_CASE("a device that is not on the ladder changes nothing") {
  Ladder ladder = ladder_of({"GPU", "CPU"});
  ladder.died("NPU", {Code::kNoDevice, "none"}, at(seconds(0)));
  CHECK(ladder.device(at(seconds(0))) == "GPU");
}

TEST_CASE("what may be climbed back to is better than what there is, and forgiven") {
  Ladder ladder = ladder_of();
  CHECK_FALSE(ladder.above("NPU", at(seconds(0))));
  for (int death = 0; death < 3; ++death) ladder.died("NPU", kLost, at(seconds(0)));
  CHECK(ladder.above("CPU", at(seconds(1))) == "GPU");
  CHECK_FALSE(ladder.above("GPU", at(seconds(1))));
  CHECK(ladder.above("GPU", at(minutes(10) + seconds(1))) == "NPU");
  ladder.died("NPU", {Code::kNoDevice, "gone"}, at(minutes(11)));
  CHECK_FALSE(ladder.above("GPU", at(minutes(100))));
  CHECK(ladder.is_above("NPU", "CPU"));
  CHECK_FALSE(ladder.is_above("CPU", "CPU"));
  CHECK_FALSE(ladder.is_above("CPU", "GPU"));
  CHECK_FALSE(ladder.is_above("NPU", "NPU"));
}

TEST_CASE("without fallback there is one device, and its deaths are forgiven too") {
  Ladder ladder = ladder_of(kDevices, false);
  CHECK(ladder.below("NPU") == "NPU");
  for (int death = 0; death < 9; ++death) ladder.died("NPU", kLost, at(seconds(0)));
  CHECK(ladder.device(at(seconds(0))) == "NPU");
  ladder.died("NPU", {Code::kNoDevice, "none"}, at(seconds(0)));
  CHECK_FALSE(ladder.device(at(seconds(0))));
}

TEST_CASE("a standby is on the next device that can be used, or on the same") {
  Ladder ladder = ladder_of();
  CHECK(ladder.below("NPU") == "GPU");
  CHECK(ladder.below("GPU") == "CPU");
  CHECK(ladder.below("CPU") == "CPU");
  ladder.died("GPU", {Code::kCompileFailed, "no"}, at(seconds(0)));
  CHECK(ladder.below("NPU") == "CPU");
}

}  // namespace
}  // namespace ovenbird
