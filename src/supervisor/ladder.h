// Which device the next worker is started on.
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "ovenbird/result.hpp"
#include "supervisor/supervisor_options.h"

namespace ovenbird {

/// Devices from the best to the last resort. One that cannot be used, or whose workers have died
/// too often of late, is passed over. Knows no clock: the caller says what time it is.
class Ladder {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// `devices` is not empty.
  Ladder(std::vector<std::string> devices, bool fallback, const CrashBudget& budget);

  /// Where the next worker is to be started; none: no device can be used any more.
  std::optional<std::string> device(Time now);

  /// The best device above this one that may be used, now that deaths have been forgiven; none.
  std::optional<std::string> above(const std::string& device, Time now);
  bool is_above(const std::string& device, const std::string& other) const;

  /// A worker that was to find a device by itself has found this one: those before it cannot be
  /// used.
  void found(const std::string& device);

  /// Where a standby for a worker on `device` is best: the next that can be used, else the same.
  std::string below(const std::string& device) const;

  /// A worker on `device` has ended: `error` is why, as far as is known. A device that is not there
  /// or takes no graph of ours is never tried again.
  void died(const std::string& device, const Error& error, Time now);

  const std::string& best() const { return rungs_.front().device; }

  /// Why devices are not used: one line.
  std::string reasons() const;

 private:
  struct Rung {
    std::string device;
    std::string why_unusable;  // empty: it may be used
    std::deque<Time> deaths;   // not forgiven yet
    Time last_change{};        // of `deaths`
    std::string last_error;
  };

  bool is_over_budget(Rung& rung, Time now) const;

  std::vector<Rung> rungs_;
  CrashBudget budget_;
};

}  // namespace ovenbird
