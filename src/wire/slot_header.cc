// A slot's layout as one number.
#include "wire/slot_header.h"

namespace ovenbird::wire {

SlotLayout layout_of(const SlotHeader& header) {
  const uint64_t both = header.layout.load(std::memory_order_acquire);
  return {.capacity = static_cast<uint32_t>(both), .dropped = static_cast<uint32_t>(both >> 32)};
}

void set_layout(SlotHeader& header, SlotLayout layout) {
  header.layout.store(uint64_t{layout.dropped} << 32 | layout.capacity, std::memory_order_release);
}

}  // namespace ovenbird::wire
