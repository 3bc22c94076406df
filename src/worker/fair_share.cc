// The least served slot.
#include "worker/fair_share.h"

#include <algorithm>

namespace ovenbird {

void FairShare::begin(uint32_t slot) {
  if (slots_[slot].has_work) return;
  if (const std::optional<uint32_t> least = next()) {
    slots_[slot].had = std::max(slots_[slot].had, slots_[*least].had);
  }
  slots_[slot].has_work = true;
}

void FairShare::end(uint32_t slot) { slots_[slot].has_work = false; }

std::optional<uint32_t> FairShare::next() const {
  std::optional<uint32_t> least;
  const auto count = static_cast<uint32_t>(slots_.size());
  for (uint32_t i = 1; i <= count; ++i) {
    const uint32_t slot = (last_ + i) % count;
    if (!slots_[slot].has_work) continue;
    if (!least || slots_[slot].had < slots_[*least].had) least = slot;
  }
  return least;
}

void FairShare::charge(uint32_t slot, std::chrono::nanoseconds time) {
  slots_[slot].had += time;
  last_ = slot;
}

}  // namespace ovenbird
