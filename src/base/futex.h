// Sleeping until a number in shared memory changes.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace ovenbird {

/// Sleeps while `word` is `expected`, at most for `time`. May wake for no reason: look again. The
/// word may lie in a mapping that this process cannot write.
void futex_wait(const std::atomic<uint32_t>& word, uint32_t expected,
                std::chrono::nanoseconds time);

/// Wakes all who sleep on it, in every process. Does not block.
void futex_wake(const std::atomic<uint32_t>& word);

}  // namespace ovenbird
