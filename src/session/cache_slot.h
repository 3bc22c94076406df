// Stage 4, session. The keys and values of one conversation, and the arithmetic of their rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/page_memory.h"
#include "base/tensor_stack.h"
#include "bundle/manifest.h"
#include "ovenbird/result.hpp"
#include "session/rotate_keys.h"

namespace ovenbird {

/// Room for `rows_max` rows of every layer's keys and values. Row r of a head is the token at
/// position r. Each tensor lies at a fixed address as [kv_heads, capacity, head_dim]: capacity is
/// the P of the graph that reads it, and may change while the rows stay. With a capacity of
/// `rows_max` the tensors lie back to back: an NPU can import all of them at once.
class CacheSlot {
 public:
  /// Errors: kIo (no address space).
  static Result<CacheSlot> create(const Manifest& manifest, uint32_t rows_max, Pages pages);

  uint32_t rows() const { return rows_; }
  uint32_t capacity() const { return capacity_; }
  uint32_t rows_max() const { return rows_max_; }

  /// Key, value of layer 0, then of layer 1, ... Never changes.
  const TensorStack& stack() const { return stack_; }

  /// Lays the rows out for another P, in place. rows() <= capacity <= rows_max().
  /// Cost: one move of the rows held.
  void set_capacity(uint32_t capacity);

  /// Copies rows [first, first + count) of a step's outputs, tensors [kv_heads, width, head_dim] in
  /// the order of stack(), behind the rows held. rows() + count <= capacity().
  void append(const std::vector<std::byte*>& present, uint32_t width, uint32_t first,
              uint32_t count);

  /// Keeps the first `count` rows; what lies beyond is garbage that a mask hides.
  void truncate(uint32_t count);

  /// Drops rows [first, first + count), moves those behind it up, and turns their keys to their new
  /// positions, so that row r stays the token at position r.
  void drop(uint32_t first, uint32_t count);

 private:
  CacheSlot(const Manifest& manifest, uint32_t rows_max, PageMemory memory);

  void move_rows(std::byte* tensor, uint32_t from, uint32_t to, uint32_t count) const;
  void turn_keys(std::byte* keys, uint32_t first, uint32_t count,
                 const KeyRotation& rotation) const;

  uint32_t kv_heads_;
  uint32_t head_dim_;
  CacheType type_;
  std::vector<double> rope_frequencies_;
  size_t row_bytes_;  // of one head
  uint32_t rows_max_;
  uint32_t rows_ = 0;
  uint32_t capacity_ = 0;
  PageMemory memory_;
  TensorStack stack_;
};

}  // namespace ovenbird
