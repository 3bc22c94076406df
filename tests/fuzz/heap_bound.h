// Holds a reader to its word: what it has on the heap is in proportion to its input.
#pragma once

#include <sanitizer/allocator_interface.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/check.h"

namespace ovenbird {

/// While one lives, the program aborts where more is taken from the heap than an input of that
/// size may cost. One at a time, on the only thread.
class HeapBound {
 public:
  /// A parsed document is up to 25 times as large as its text: [0,0,0] has 2 bytes a number, a
  /// value has 16, and taking the list down needs another one, which doubles as it grows.
  static constexpr int64_t kFactor = 32;
  /// Ids of a vocabulary without a token (2.5 MB), what a tokenizer works with (0.6 MB), rotations
  /// of the longest head (0.5 MiB each).
  static constexpr int64_t kConstant = 4 << 20;

  explicit HeapBound(size_t input_bytes) {
    [[maybe_unused]] static const int installed =
        __sanitizer_install_malloc_and_free_hooks(count_taken, count_freed);
    held_ = 0;
    bound_ = kFactor * static_cast<int64_t>(input_bytes) + kConstant;
  }
  HeapBound(const HeapBound&) = delete;
  HeapBound& operator=(const HeapBound&) = delete;
  ~HeapBound() { bound_ = kUnbound; }

 private:
  static constexpr int64_t kUnbound = -1;

  static void count_taken(const volatile void*, size_t bytes) {
    if (bound_ == kUnbound) return;
    held_ += static_cast<int64_t>(bytes);
    const bool is_within_bound = held_ <= bound_;
    if (!is_within_bound) bound_ = kUnbound;  // the message takes some too
    OVENBIRD_CHECK(is_within_bound);
  }
  static void count_freed(const volatile void* place) {
    if (bound_ == kUnbound || !place) return;
    held_ -= static_cast<int64_t>(__sanitizer_get_allocated_size(const_cast<void*>(place)));
  }

  inline static int64_t held_ = 0;  // bytes
  inline static int64_t bound_ = kUnbound;
};

}  // namespace ovenbird
