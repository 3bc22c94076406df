// A slot's layout as one number, and the order of stores.
#include "wire/slot_header.h"

namespace ovenbird::wire {
namespace {

uint64_t packed(uint32_t low, uint32_t high) { return uint64_t{high} << 32 | low; }
uint32_t low_of(uint64_t both) { return static_cast<uint32_t>(both); }
uint32_t high_of(uint64_t both) { return static_cast<uint32_t>(both >> 32); }

uint64_t packed(SlotLayout layout) { return packed(layout.capacity, layout.dropped); }
SlotLayout layout_in(uint64_t both) { return {.capacity = low_of(both), .dropped = high_of(both)}; }

/// A release alone would let the compiler move later writes before it. It is only the compiler that
/// must be held: who reads them begins after this process has died, and by then the processor has
/// done all instructions up to one, and none behind it.
template <typename Number>
void publish(std::atomic<Number>& place, Number value) {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  place.store(value, std::memory_order_release);
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

}  // namespace

SlotLayout layout_of(const SlotHeader& header) {
  return layout_in(header.layout.load(std::memory_order_acquire));
}

void set_layout(SlotHeader& header, SlotLayout layout) { publish(header.layout, packed(layout)); }

SlotStep last_step_of(const SlotHeader& header) {
  const uint64_t both = header.last_step.load(std::memory_order_acquire);
  return {.rows = low_of(both), .past = high_of(both)};
}

void set_last_step(SlotHeader& header, SlotStep step) {
  publish(header.last_step, packed(step.rows, step.past));
}

SlotMove move_of(const SlotHeader& header) {
  return {.from = layout_in(header.move_from.load(std::memory_order_relaxed)),
          .to = layout_in(header.move_to.load(std::memory_order_relaxed)),
          .rows = header.move_rows.load(std::memory_order_relaxed),
          .first = header.move_first.load(std::memory_order_relaxed)};
}

uint32_t move_step_of(const SlotHeader& header) {
  return header.move_step.load(std::memory_order_acquire);
}

void begin_move(SlotHeader& header, const SlotMove& move) {
  header.move_from.store(packed(move.from), std::memory_order_relaxed);
  header.move_to.store(packed(move.to), std::memory_order_relaxed);
  header.move_rows.store(move.rows, std::memory_order_relaxed);
  header.move_first.store(move.first, std::memory_order_relaxed);
  publish(header.move_step, uint32_t{1});
}

void set_move_step(SlotHeader& header, uint32_t step) { publish(header.move_step, step); }

bool is_sound(const SlotMove& move, uint32_t rows_max) {
  if (move.from.capacity > rows_max || move.to.capacity > rows_max) return false;
  if (move.rows > move.from.capacity || move.to.dropped < move.from.dropped) return false;
  if (move.dropped() > move.rows || move.rows_after() > move.to.capacity) return false;
  // Rows are dropped where they lie.
  const bool drops = move.dropped() > 0;
  return !drops || (move.to.capacity == move.from.capacity && move.first <= move.rows_after());
}

}  // namespace ovenbird::wire
