// Slots given, kept and taken.
#include "supervisor/slot_table.h"

#include <algorithm>
#include <string>

namespace ovenbird {

SlotTable::SlotTable(uint32_t slots, uint32_t waiting_max)
    : slots_(slots), waiting_max_(waiting_max) {}

std::optional<uint32_t> SlotTable::slot_of(uint64_t session) const {
  for (uint32_t slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot].session == session && session != kNobody) return slot;
  }
  return std::nullopt;
}

uint32_t SlotTable::used() const {
  return static_cast<uint32_t>(std::count_if(
      slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.session != kNobody; }));
}

/// The session's own slot, a free one, or the one that has been idle longest.
std::optional<SlotTable::Grant> SlotTable::take(uint64_t session) {
  if (const auto own = slot_of(session)) {
    slots_[*own].is_stepped = true;
    return Grant{.session = session, .slot = *own};
  }
  std::optional<uint32_t> best;
  for (uint32_t index = 0; index < slots_.size(); ++index) {
    const Slot& slot = slots_[index];
    if (slot.is_stepped) continue;
    const auto rank = [](const Slot& of) { return of.session == kNobody ? 0 : 1 + of.idle_since; };
    if (!best || rank(slot) < rank(slots_[*best])) best = index;
  }
  if (!best) return std::nullopt;
  const Grant grant{.session = session, .slot = *best, .evicted = slots_[*best].session};
  slots_[*best] = {.session = session, .is_stepped = true};
  return grant;
}

Result<std::optional<SlotTable::Grant>> SlotTable::begin(uint64_t session) {
  // Nobody overtakes those who wait, but a session that still has its slot takes nothing from them.
  if (waiting_.empty() || slot_of(session)) {
    if (const auto grant = take(session)) return grant;
  }
  if (waiting_.size() >= waiting_max_) {
    return fail(Code::kBusy, "busy: " + std::to_string(slots_.size()) + " slots are taken and " +
                                 std::to_string(waiting_.size()) +
                                 " turns wait; try again later, or serve with more --slots");
  }
  waiting_.push_back(session);
  return std::optional<Grant>();
}

void SlotTable::end(uint64_t session) {
  std::erase(waiting_, session);
  if (const auto slot = slot_of(session); slot && slots_[*slot].is_stepped) {
    slots_[*slot].is_stepped = false;
    slots_[*slot].idle_since = ++ends_;
  }
}

void SlotTable::remove(uint64_t session) {
  std::erase(waiting_, session);
  if (const auto slot = slot_of(session)) slots_[*slot] = {};
}

std::optional<uint32_t> SlotTable::take_free(uint64_t session) {
  for (uint32_t slot = 0; slot < slots_.size(); ++slot) {
    if (restore(session, slot)) return slot;
  }
  return std::nullopt;
}

bool SlotTable::restore(uint64_t session, uint32_t slot) {
  if (slot >= slots_.size() || slots_[slot].session != kNobody) return false;
  slots_[slot] = {.session = session, .idle_since = ++ends_};
  return true;
}

std::optional<SlotTable::Grant> SlotTable::grant_next() {
  if (waiting_.empty()) return std::nullopt;
  const std::optional<Grant> grant = take(waiting_.front());
  if (grant) waiting_.pop_front();
  return grant;
}

}  // namespace ovenbird
