// operator new and delete of the whole program: malloc and free, and a cap where a thread has one.
#include "text/bounded_memory.h"

#include <malloc.h>

#include <cstdlib>
#include <new>

namespace ovenbird {
namespace {

thread_local BoundedMemory* bound_of_thread = nullptr;

void* take(size_t bytes) noexcept {
  BoundedMemory* const bound = bound_of_thread;
  if (bound != nullptr && !bound->may_take(bytes)) return nullptr;
  void* const memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (bound != nullptr && memory != nullptr) bound->took(malloc_usable_size(memory));
  return memory;
}

void* take_or_throw(size_t bytes) {
  void* const memory = take(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void give_back(void* memory) noexcept {
  if (bound_of_thread != nullptr && memory != nullptr) {
    bound_of_thread->gave_back(malloc_usable_size(memory));
  }
  std::free(memory);
}

}  // namespace

BoundedMemory::BoundedMemory(size_t bytes_max) : bytes_max_(static_cast<ptrdiff_t>(bytes_max)) {
  bound_of_thread = this;
}

BoundedMemory::~BoundedMemory() { bound_of_thread = nullptr; }

bool BoundedMemory::may_take(size_t bytes) {
  const bool fits = bytes <= static_cast<size_t>(bytes_max_) &&
                    taken_ + static_cast<ptrdiff_t>(bytes) <= bytes_max_;
  was_exceeded_ = was_exceeded_ || !fits;
  return fits;
}

}  // namespace ovenbird

void* operator new(size_t bytes) { return ovenbird::take_or_throw(bytes); }
void* operator new[](size_t bytes) { return ovenbird::take_or_throw(bytes); }
void* operator new(size_t bytes, const std::nothrow_t&) noexcept { return ovenbird::take(bytes); }
void* operator new[](size_t bytes, const std::nothrow_t&) noexcept { return ovenbird::take(bytes); }
void operator delete(void* memory) noexcept { ovenbird::give_back(memory); }
void operator delete[](void* memory) noexcept { ovenbird::give_back(memory); }
void operator delete(void* memory, size_t) noexcept { ovenbird::give_back(memory); }
void operator delete[](void* memory, size_t) noexcept { ovenbird::give_back(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { ovenbird::give_back(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept {
  ovenbird::give_back(memory);
}
