// Shared bytes read once: what is checked is what is used.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstring>
#include <span>
#include <type_traits>

namespace ovenbird::wire {

/// A copy of what stands at the front of `memory`, which has sizeof(Value) bytes or more. Another
/// process may write meanwhile: the copy may be torn, but it does not change any more, for the
/// compiler cannot read the memory a second time.
template <typename Value>
Value copied_once(std::span<const std::byte> memory) {
  static_assert(std::is_trivially_copyable_v<Value>);
  Value value;
  std::memcpy(&value, memory.data(), sizeof value);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return value;
}

}  // namespace ovenbird::wire
