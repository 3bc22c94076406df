// Waiting and signalling.
#include "src/signal.h"

#include <algorithm>
#include <chrono>

namespace npu_emulator {

void Signal::set(ZeResult result) {
  const std::lock_guard lock(mutex_);
  is_set_ = true;
  result_ = result;
  changed_.notify_all();
}

void Signal::reset() {
  const std::lock_guard lock(mutex_);
  is_set_ = false;
  result_ = ZeResult::kSuccess;
}

bool Signal::is_set() const {
  const std::lock_guard lock(mutex_);
  return is_set_;
}

ZeResult Signal::wait(uint64_t timeout_ns) {
  std::unique_lock lock(mutex_);
  const auto arrived = [&] { return is_set_; };
  if (timeout_ns == UINT64_MAX) {
    changed_.wait(lock, arrived);
  } else {
    constexpr uint64_t kDayNs = 86'400'000'000'000;  // added to a clock that must not overflow
    const std::chrono::nanoseconds timeout(std::min(timeout_ns, kDayNs));
    if (!changed_.wait_for(lock, timeout, arrived)) return ZeResult::kNotReady;
  }
  return result_;
}

}  // namespace npu_emulator
