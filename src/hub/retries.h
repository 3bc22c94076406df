// How often, and how long after one another, a request is sent again.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <random>

#include "hub/hub_settings.h"

namespace ovenbird {

/// Exponential back-off with jitter, bounded in tries and in time.
class Retries {
 public:
  Retries(const RetryPolicy& policy, uint32_t tries, const std::atomic<bool>& stop);

  /// After a try that failed: waits, at least as long as the server asked for. False: no more
  /// tries, or `stop` is set.
  bool wait(std::chrono::seconds asked_for);

  /// The last try has brought something on: the count begins anew.
  void made_progress() { failed_ = 0; }

 private:
  RetryPolicy policy_;
  uint32_t tries_;
  uint32_t failed_ = 0;
  const std::atomic<bool>& stop_;
  std::minstd_rand random_;
};

}  // namespace ovenbird
