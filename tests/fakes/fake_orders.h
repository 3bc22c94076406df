// What a fake worker is told to do wrong: lines of a file, so that a test can change its mind while
// workers come and go.
//
//   DO at PLACE [device=NAME] [slot=N] [role=active|standby] [times=N]
//
//   DO      kill (itself), exit (by itself, with code 9), hang, fail=CODE (kFailed, and ends), wait
//           (until a file beside this one is called like it with ".go" behind)
//   PLACE   start, ready, bind=N, step=N, store=N: the N-th of this process, from 1; `start` is
//   before
//           it is ready, `ready` just after it has said so, `step` before a step has changed
//           anything, `store` between two stores by which a step is made to count
//   times   in so many processes, then no more; without it, in every one
//
//   slow=MICROSECONDS [device=NAME]     each step takes so long
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ovenbird {

/// Names the file; unset, or without a file, nothing is wrong.
inline constexpr const char* kFakeOrdersVariable = "OVENBIRD_FAKE_ORDERS";

class FakeOrders {
 public:
  struct Worker {
    std::string device;
    bool is_standby = false;
  };

  struct Fault {
    std::string act;  // "kill", "exit", "hang", "fail", "wait"
    uint32_t code = 0;
  };

  /// Reads the file once. A line that is no order ends the process: a test is wrong.
  explicit FakeOrders(const Worker& worker);

  /// What is to be done at this place, which has been reached once more.
  std::optional<Fault> reach(const std::string& place, uint32_t slot);

  /// Whether who waits may go on.
  static bool may_go_on();

  uint32_t slow_us() const { return slow_us_; }

 private:
  struct Order {
    Fault fault;
    std::string place;
    uint64_t count = 1;  // the N-th time
    std::optional<uint32_t> slot;
    std::optional<uint32_t> times;
    std::string claims;  // files of this name and a number: processes that obeyed
    uint64_t reached = 0;
  };

  void read_line(const std::string& line, const Worker& worker, const std::string& claims);

  std::vector<Order> orders_;
  uint32_t slow_us_ = 0;
};

}  // namespace ovenbird
