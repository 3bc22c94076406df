// Shared bytes: how the rows of one slot lie in the arena.
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
};

/// One page of the arena. Written by the worker that owns the arena, one at a time; whoever comes
/// after it goes on from what stands here.
struct alignas(64) SlotHeader {
  std::atomic<uint64_t> layout;         // a SlotLayout, changed in one store
  std::atomic<uint32_t> past_expected;  // graphs of a shorter fixed past are not used any more
};

SlotLayout layout_of(const SlotHeader& header);
void set_layout(SlotHeader& header, SlotLayout layout);

static_assert(sizeof(SlotHeader) == 64);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

}  // namespace ovenbird::wire
