// Shared bytes: how the rows of one slot lie in the arena, and the move that they are in.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace ovenbird::wire {

/// Where the rows of a slot lie. Which of them count is not said here: a session's record says how
/// many of its tokens have been computed, and rows = computed - dropped.
struct SlotLayout {
  uint32_t capacity = 0;  // rows that each head of each tensor is laid out for
  uint32_t dropped = 0;   // tokens of the conversation whose rows have been dropped

  bool operator==(const SlotLayout&) const = default;
};

/// The past that a step was given whose graph takes any. The step may be computed again by another
/// process, when rows have been laid out anew for what it added; it must then read the same past.
struct SlotStep {
  uint32_t rows = 0;  // held when it began
  uint32_t past = 0;
};

/// A move of rows from one layout to another: to another capacity, or over a gap of dropped rows.
struct SlotMove {
  SlotLayout from;
  SlotLayout to;
  uint32_t rows = 0;   // that count before
  uint32_t first = 0;  // of the rows that are dropped

  uint32_t dropped() const { return to.dropped - from.dropped; }
  uint32_t rows_after() const { return rows - dropped(); }
};

/// One page of the arena; zeroed, an empty slot's. Written by the worker that owns the arena, one
/// at a time; whoever comes after it goes on from what stands here.
///
/// The move is a redo journal. Rows move in units, the rows of one head of one tensor, in an order
/// in which placing a unit runs over none that has not moved. A unit that would run over itself is
/// built in the arena's scratch first. `move_step` says how far that is:
///
///   0         there is no move; the other fields of it mean nothing
///   2 u + 1   units before u are in place, no row of u or later has been run over
///   2 u + 2   the same, and u stands whole in the scratch; its place may be half written
///   2 n + 1   all n units are in place; the layout is the new one, or about to be
struct SlotHeader {
  std::atomic<uint64_t> layout;     // a SlotLayout, changed in one store
  std::atomic<uint64_t> last_step;  // a SlotStep
  std::atomic<uint64_t> move_from;  // SlotLayouts
  std::atomic<uint64_t> move_to;
  std::atomic<uint32_t> move_rows;
  std::atomic<uint32_t> move_first;
  std::atomic<uint32_t> move_step;
  std::atomic<uint32_t> tokens;  // of the conversation, about: a standby's hint, nothing goes by it
  std::byte unused[4096 - 4 * sizeof(uint64_t) - 4 * sizeof(uint32_t)];
};

// Each store stands behind all that the process wrote before it and before all that it writes
// after, also where a compiler would order them otherwise: so a process that dies has done what
// comes before some instruction, and nothing of what comes behind it.

SlotLayout layout_of(const SlotHeader& header);
void set_layout(SlotHeader& header, SlotLayout layout);

SlotStep last_step_of(const SlotHeader& header);
void set_last_step(SlotHeader& header, SlotStep step);

/// What a move is, if move_step_of() is not 0. As it stands: see is_sound().
SlotMove move_of(const SlotHeader& header);
uint32_t move_step_of(const SlotHeader& header);

/// Writes the move down, and move_step 1. There must be none.
void begin_move(SlotHeader& header, const SlotMove& move);
void set_move_step(SlotHeader& header, uint32_t step);

/// Whether such a move is one of a slot of `rows_max` rows.
bool is_sound(const SlotMove& move, uint32_t rows_max);

static_assert(sizeof(SlotHeader) == 4096);
static_assert(offsetof(SlotHeader, layout) == 0);
static_assert(offsetof(SlotHeader, last_step) == 8);
static_assert(offsetof(SlotHeader, move_from) == 16);
static_assert(offsetof(SlotHeader, move_to) == 24);
static_assert(offsetof(SlotHeader, move_rows) == 32);
static_assert(offsetof(SlotHeader, move_first) == 36);
static_assert(offsetof(SlotHeader, move_step) == 40);
static_assert(offsetof(SlotHeader, tokens) == 44);
static_assert(std::atomic<uint64_t>::is_always_lock_free);
static_assert(std::atomic<uint32_t>::is_always_lock_free);

}  // namespace ovenbird::wire
