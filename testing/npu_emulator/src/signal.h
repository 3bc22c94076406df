// What fences and events have in common: a result that arrives once and is waited for.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "abi/level_zero.h"

namespace npu_emulator {

class Signal {
 public:
  void set(ZeResult result);
  void reset();
  bool is_set() const;

  /// Waits at most `timeout_ns`; UINT64_MAX waits for ever. kNotReady if it did not arrive.
  ZeResult wait(uint64_t timeout_ns);

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool is_set_ = false;
  ZeResult result_ = ZeResult::kSuccess;
};

}  // namespace npu_emulator
