// A cap on what one thread may take from the heap, for code that has no limits of its own.
#pragma once

#include <cstddef>

namespace ovenbird {

/// While it lives, `operator new` on this thread throws std::bad_alloc once what was taken and not
/// given back exceeds `bytes_max`. Works because bounded_memory.cc replaces the program's operator
/// new and delete by ones that ask here; elsewhere they are plain malloc and free.
/// One at a time on a thread.
class BoundedMemory {
 public:
  explicit BoundedMemory(size_t bytes_max);
  ~BoundedMemory();
  BoundedMemory(const BoundedMemory&) = delete;
  BoundedMemory& operator=(const BoundedMemory&) = delete;

  bool was_exceeded() const { return was_exceeded_; }

  /// For operator new and delete only.
  bool may_take(size_t bytes);
  void took(size_t bytes) { taken_ += static_cast<ptrdiff_t>(bytes); }
  void gave_back(size_t bytes) { taken_ -= static_cast<ptrdiff_t>(bytes); }

 private:
  ptrdiff_t taken_ = 0;  // below zero if memory from before is given back
  ptrdiff_t bytes_max_;
  bool was_exceeded_ = false;
};

}  // namespace ovenbird
