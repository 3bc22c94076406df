// Which of several sessions is stepped next.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace ovenbird {

/// The device's time is shared out evenly among the slots that have work: the one that has had
/// least of it is next. So a long prompt, whose steps take ten times as long as a decode step,
/// makes answers of others half as fast, not ten times slower. A slot that begins anew is put level
/// with the one that has had least of those at work: time that was not wanted cannot be saved up.
/// (Virtual time as in CFS, Linux's scheduler.)
class FairShare {
 public:
  explicit FairShare(uint32_t slots) : slots_(slots) {}

  /// The slot has work from now on. Nothing changes if it had.
  void begin(uint32_t slot);
  /// It has none any more.
  void end(uint32_t slot);

  /// The slot to be stepped; none if no slot has work. Among equals the one after the last stepped.
  std::optional<uint32_t> next() const;

  /// The slot was stepped, and it took so long.
  void charge(uint32_t slot, std::chrono::nanoseconds time);

 private:
  struct Share {
    bool has_work = false;
    std::chrono::nanoseconds had{0};
  };

  std::vector<Share> slots_;
  uint32_t last_ = 0;
};

}  // namespace ovenbird
