// Stage 4, session. The keys and values of one conversation, and the arithmetic of their rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/page_memory.h"
#include "base/tensor_stack.h"
#include "bundle/manifest.h"
#include "ovenbird/result.hpp"
#include "session/rotate_keys.h"
#include "session/slot_memory.h"

namespace ovenbird {

/// Room for `rows_max` rows of every layer's keys and values. Row r of a head is the token at
/// position r. Each tensor lies at a fixed address as [kv_heads, capacity, head_dim]: capacity is
/// the P of the graph that reads it, and may change while the rows stay. With a capacity of
/// `rows_max` the tensors lie back to back: an NPU can import all of them at once.
///
/// Capacity and dropped rows are kept in the header that comes with the memory, and a move of rows
/// is a journal there. So the process may be killed at any instruction: recover() in the next one
/// ends the move, and every row that counts is there, to the last bit. How many rows count is for
/// the caller to keep. While none does, nothing is written to the header.
class CacheSlot {
 public:
  /// Over private or shared memory of its own. Errors: kIo (no address space).
  static Result<CacheSlot> create(const Manifest& manifest, uint32_t rows_max, Pages pages);

  /// Over the caller's memory. It holds no rows, until recover() finds them.
  /// Errors: kInvalidArgument (memory is too small for `rows_max`, or does not begin on a page).
  static Result<CacheSlot> create(const Manifest& manifest, uint32_t rows_max,
                                  const SlotMemory& memory);

  /// Ends the move that a process was in when it died, if it was in one; again if it is interrupted
  /// itself. Of every slot of an arena before rows of any other are moved, for they share scratch.
  /// Cost: at most one move of the rows held.
  /// Errors: kCorrupt (the header says what cannot be; it is an empty slot's now).
  Status finish_move();

  /// Takes up what another process has left: finish_move(), and then the rows that are left of the
  /// conversation's first `computed` tokens count. For a slot that holds none.
  /// Errors: kCorrupt (it cannot hold them; it is empty now).
  Status recover(uint64_t computed);

  uint32_t rows() const { return rows_; }
  uint32_t capacity() const { return layout_.capacity; }
  uint32_t dropped() const { return layout_.dropped; }
  uint32_t rows_max() const { return rows_max_; }

  /// Key, value of layer 0, then of layer 1, ... Never changes.
  const TensorStack& stack() const { return stack_; }

  /// Lays the rows out for another P, in place. rows() <= capacity <= rows_max().
  /// Cost: one move of the rows held; two of each head that would run over itself.
  void set_capacity(uint32_t capacity);

  /// Copies rows [first, first + count) of a step's outputs, tensors [kv_heads, width, head_dim] in
  /// the order of stack(), behind the rows held. rows() + count <= capacity().
  void append(const std::vector<std::byte*>& present, uint32_t width, uint32_t first,
              uint32_t count);

  /// Copies the first `count` rows of another slot of this manifest, which has dropped none, behind
  /// none: this one must be empty. count <= from.rows() and capacity().
  void copy_rows(const CacheSlot& from, uint32_t count);

  /// Keeps the first `count` rows; what lies beyond is garbage that a mask hides.
  void truncate(uint32_t count);

  /// Keeps no row, and begins to count those dropped anew.
  void clear();

  /// Drops rows [first, first + count), moves those behind it up, and turns their keys to their new
  /// positions, so that row r stays the token at position r. Cost: one move of the rows behind;
  /// two, if they are more than those dropped.
  void drop(uint32_t first, uint32_t count);

  /// Notes which past a step reads that begins with the rows held.
  void note_step(uint32_t past);
  /// The past of such a step, if it was the last one noted and began with as many rows; else 0.
  uint32_t noted_past() const;

 private:
  CacheSlot(const Manifest& manifest, uint32_t rows_max, PageMemory own, SlotMemory memory);

  /// The rows of one head of one tensor that a move takes along.
  struct Unit {
    std::byte* from;
    std::byte* to;
    bool is_key;
  };

  void publish_layout();
  void stored() const;
  uint32_t units() const;
  LayerRope rope_of_layer(uint32_t layer) const;
  void move(const wire::SlotMove& move);
  void run_move(const wire::SlotMove& move, uint32_t step);
  Unit unit_of(const wire::SlotMove& move, uint32_t index) const;
  void build(const Unit& unit, const wire::SlotMove& move, std::byte* place,
             const KeyRotation* rotation) const;

  uint32_t kv_heads_;
  uint32_t head_dim_;
  CacheType type_;
  std::vector<double> rope_frequencies_, local_rope_frequencies_;
  std::vector<LayerRope> layer_ropes_;  // empty = all kGlobal
  size_t row_bytes_;                    // of one head
  uint32_t rows_max_;
  uint32_t rows_ = 0;
  wire::SlotLayout layout_;  // what the header says, or will as soon as there are rows
  PageMemory own_;
  SlotMemory memory_;
  TensorStack stack_;
};

}  // namespace ovenbird
