// Who has which slot, and who waits for one.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "ovenbird/result.hpp"

namespace ovenbird {

/// Sessions by number, slots by index. A session keeps its slot between turns until another one
/// needs it: the one that has been idle longest goes first. Without a slot to be had, sessions wait
/// in the order in which they came, up to a bound.
class SlotTable {
 public:
  static constexpr uint64_t kNobody = 0;

  SlotTable(uint32_t slots, uint32_t waiting_max);

  /// A slot was given to a session. Who had it before has lost what was in it.
  struct Grant {
    uint64_t session = kNobody;
    uint32_t slot = 0;
    uint64_t evicted = kNobody;
  };

  /// The session is to be stepped: it has its slot for as long as that takes, or waits; none then.
  /// Errors: kBusy (too many wait).
  Result<std::optional<Grant>> begin(uint64_t session);

  /// It is not stepped any more, or waits no more. Its slot may be taken. Nothing changes for one
  /// that is idle: it has been so since it was.
  void end(uint64_t session);

  /// It is gone: its slot is free.
  void remove(uint64_t session);

  /// Gives an idle session a slot if one is free: for what is to be put there before its turn.
  std::optional<uint32_t> take_free(uint64_t session);

  /// A supervisor that is started again says who had which slot. False: it is not to be had.
  bool restore(uint64_t session, uint32_t slot);

  /// The next one who waits, if there is a slot for it now.
  std::optional<Grant> grant_next();

  std::optional<uint32_t> slot_of(uint64_t session) const;
  uint64_t session_in(uint32_t slot) const { return slots_[slot].session; }
  size_t waiting() const { return waiting_.size(); }
  uint32_t used() const;

 private:
  struct Slot {
    uint64_t session = kNobody;
    bool is_stepped = false;
    uint64_t idle_since = 0;  // counts ends
  };

  std::optional<Grant> take(uint64_t session);

  std::vector<Slot> slots_;
  std::deque<uint64_t> waiting_;
  uint32_t waiting_max_;
  uint64_t ends_ = 0;
};

}  // namespace ovenbird
