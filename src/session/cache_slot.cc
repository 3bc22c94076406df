// Moving rows of keys and values about, so that a process may die in the middle of it.
#include "session/cache_slot.h"

#include <cstring>
#include <optional>
#include <string>

#include "base/check.h"

namespace ovenbird {
namespace {

bool begins_page(const void* memory) {
  return reinterpret_cast<uintptr_t>(memory) % round_up_to_page(1) == 0;
}

Failure corrupt(const std::string& seen) {
  return fail(Code::kCorrupt, "take up a cache slot: " + seen +
                                  "; what it held is forgotten and will be computed again");
}

/// Rows of each head that change their place.
uint32_t rows_moved(const wire::SlotMove& move) {
  return move.dropped() > 0 ? move.rows_after() - move.first : move.rows;
}

}  // namespace

Result<CacheSlot> CacheSlot::create(const Manifest& manifest, uint32_t rows_max, Pages pages) {
  const size_t slot_bytes = round_up_to_page(manifest.slot_bytes(rows_max));
  const size_t header_bytes = round_up_to_page(sizeof(wire::SlotHeader));
  const size_t scratch_bytes = manifest.head_bytes(rows_max);
  Result<PageMemory> own = PageMemory::allocate(slot_bytes + header_bytes + scratch_bytes, pages);
  if (!own) return fail_in("allocate cache", own.error());
  const std::span<std::byte> bytes = own->bytes();
  const SlotMemory memory{
      .pages = bytes.first(slot_bytes),
      .header = reinterpret_cast<wire::SlotHeader*>(bytes.subspan(slot_bytes).data()),
      .scratch = bytes.subspan(slot_bytes + header_bytes)};
  return CacheSlot(manifest, rows_max, std::move(*own), memory);
}

Result<CacheSlot> CacheSlot::create(const Manifest& manifest, uint32_t rows_max,
                                    const SlotMemory& memory) {
  const size_t slot_bytes = round_up_to_page(manifest.slot_bytes(rows_max));
  if (memory.pages.size() < slot_bytes || memory.scratch.size() < manifest.head_bytes(rows_max)) {
    return fail(Code::kInvalidArgument, "cache slot: " + std::to_string(memory.pages.size()) +
                                            " bytes and " + std::to_string(memory.scratch.size()) +
                                            " of scratch; " + std::to_string(rows_max) +
                                            " rows need " + std::to_string(slot_bytes) + " and " +
                                            std::to_string(manifest.head_bytes(rows_max)));
  }
  if (!memory.header || !begins_page(memory.pages.data()) || !begins_page(memory.scratch.data())) {
    return fail(Code::kInvalidArgument, "cache slot: its memory does not begin on pages");
  }
  SlotMemory used = memory;
  used.pages = memory.pages.first(slot_bytes);
  return CacheSlot(manifest, rows_max, PageMemory(), used);
}

CacheSlot::CacheSlot(const Manifest& manifest, uint32_t rows_max, PageMemory own, SlotMemory memory)
    : kv_heads_(manifest.model.kv_heads),
      head_dim_(manifest.model.head_dim),
      type_(manifest.cache_type),
      rope_frequencies_(manifest.model.rope_frequencies),
      local_rope_frequencies_(manifest.model.local_rope_frequencies),
      layer_ropes_(manifest.model.layer_ropes),
      row_bytes_(manifest.head_bytes(1)),
      rows_max_(rows_max),
      own_(std::move(own)),
      memory_(std::move(memory)),
      stack_(memory_.pages, 2 * size_t{manifest.model.layers},
             size_t{kv_heads_} * rows_max * row_bytes_) {}

void CacheSlot::stored() const {
  if (memory_.on_store) memory_.on_store();
}

/// The first thing that is written for a conversation: before it, nothing of this counts.
void CacheSlot::publish_layout() {
  wire::set_move_step(*memory_.header, 0);
  stored();
  wire::set_last_step(*memory_.header, {});
  stored();
  wire::set_layout(*memory_.header, layout_);
  stored();
}

Status CacheSlot::finish_move() {
  wire::SlotHeader& header = *memory_.header;
  const uint32_t step = wire::move_step_of(header);
  if (step == 0) return ok();
  const wire::SlotMove move = wire::move_of(header);
  const wire::SlotLayout layout = wire::layout_of(header);
  const uint32_t all_moved = 2 * units() + 1;
  const bool is_sound = wire::is_sound(move, rows_max_) && step <= all_moved &&
                        (layout == move.from || (layout == move.to && step == all_moved));
  if (!is_sound) {
    // The layout first: a move that is none must not leave rows behind that look whole.
    wire::set_layout(header, {});
    stored();
    wire::set_move_step(header, 0);
    stored();
    return corrupt("its header tells of a move of rows that cannot be");
  }
  run_move(move, step);
  return ok();
}

Status CacheSlot::recover(uint64_t computed) {
  clear();
  layout_ = {};
  const Status finished = finish_move();
  if (!finished && computed > 0) return finished;
  const wire::SlotLayout found = wire::layout_of(*memory_.header);
  const bool is_layout = found.capacity <= rows_max_;
  if (computed == 0) {
    layout_.capacity = is_layout ? found.capacity : 0;
    return ok();
  }
  if (!is_layout || computed < found.dropped || computed - found.dropped > found.capacity) {
    return corrupt("it is laid out for " + std::to_string(found.capacity) + " rows behind " +
                   std::to_string(found.dropped) + " dropped ones, and should hold " +
                   std::to_string(computed) + " tokens in at most " + std::to_string(rows_max_) +
                   " rows");
  }
  layout_ = found;
  rows_ = static_cast<uint32_t>(computed - found.dropped);
  return ok();
}

void CacheSlot::set_capacity(uint32_t capacity) {
  OVENBIRD_CHECK(rows_ <= capacity && capacity <= rows_max_);
  if (capacity == layout_.capacity) return;
  move({.from = layout_,
        .to = {.capacity = capacity, .dropped = layout_.dropped},
        .rows = rows_,
        .first = 0});
}

void CacheSlot::append(const std::vector<std::byte*>& present, uint32_t width, uint32_t first,
                       uint32_t count) {
  OVENBIRD_CHECK(present.size() == stack_.tensors.size());
  OVENBIRD_CHECK(rows_ + count <= capacity() && first + count <= width);
  if (rows_ == 0) publish_layout();
  for (size_t index = 0; index < stack_.tensors.size(); ++index) {
    for (size_t head = 0; head < kv_heads_; ++head) {
      std::memcpy(stack_.tensors[index] + (head * capacity() + rows_) * row_bytes_,
                  present[index] + (head * width + first) * row_bytes_, count * row_bytes_);
    }
  }
  rows_ += count;
}

void CacheSlot::copy_rows(const CacheSlot& from, uint32_t count) {
  OVENBIRD_CHECK(this != &from && from.dropped() == 0 && dropped() == 0);
  OVENBIRD_CHECK(rows_ == 0 && count <= from.rows() && count <= capacity());
  OVENBIRD_CHECK(row_bytes_ == from.row_bytes_ && kv_heads_ == from.kv_heads_);
  OVENBIRD_CHECK(stack_.tensors.size() == from.stack_.tensors.size());
  publish_layout();
  for (size_t index = 0; index < stack_.tensors.size(); ++index) {
    for (size_t head = 0; head < kv_heads_; ++head) {
      std::memcpy(stack_.tensors[index] + head * capacity() * row_bytes_,
                  from.stack_.tensors[index] + head * from.capacity() * row_bytes_,
                  count * row_bytes_);
    }
  }
  rows_ = count;
}

void CacheSlot::truncate(uint32_t count) {
  OVENBIRD_CHECK(count <= rows_);
  rows_ = count;
}

void CacheSlot::clear() {
  rows_ = 0;
  layout_.dropped = 0;
}

void CacheSlot::drop(uint32_t first, uint32_t count) {
  OVENBIRD_CHECK(first + count <= rows_);
  if (count == 0) return;
  move({.from = layout_,
        .to = {.capacity = layout_.capacity, .dropped = layout_.dropped + count},
        .rows = rows_,
        .first = first});
  rows_ -= count;
}

void CacheSlot::note_step(uint32_t past) {
  if (rows_ == 0) return;
  wire::set_last_step(*memory_.header, {.rows = rows_, .past = past});
  stored();
}

uint32_t CacheSlot::noted_past() const {
  const wire::SlotStep step = wire::last_step_of(*memory_.header);
  const bool is_this = rows_ > 0 && step.rows == rows_;
  return is_this && rows_ <= step.past && step.past <= rows_max_ ? step.past : 0;
}

uint32_t CacheSlot::units() const {
  return static_cast<uint32_t>(stack_.tensors.size()) * kv_heads_;
}

LayerRope CacheSlot::rope_of_layer(uint32_t layer) const {
  return layer_ropes_.empty() ? LayerRope::kGlobal : layer_ropes_.at(layer);
}

void CacheSlot::move(const wire::SlotMove& move) {
  layout_ = move.to;
  if (move.rows == 0) return;  // told with the first row
  if (rows_moved(move) == 0) {
    wire::set_layout(*memory_.header, layout_);
    stored();
    return;
  }
  wire::begin_move(*memory_.header, move);
  stored();
  run_move(move, 1);
}

/// Goes on with a move from any `step` of it (see wire::SlotHeader).
void CacheSlot::run_move(const wire::SlotMove& move, uint32_t step) {
  wire::SlotHeader& header = *memory_.header;
  const auto set_step = [&](uint32_t next) {
    wire::set_move_step(header, next);
    stored();
  };
  const size_t bytes = rows_moved(move) * row_bytes_;
  const int64_t turn = -int64_t{move.dropped()};
  std::optional<KeyRotation> global, local;
  if (turn != 0) {
    global.emplace(rope_frequencies_, turn);
    local.emplace(local_rope_frequencies_, turn);
  }
  for (uint32_t index = (step - 1) / 2; index < units(); ++index) {
    const Unit unit = unit_of(move, index);
    const LayerRope rope = rope_of_layer(index / kv_heads_ / 2);
    const KeyRotation* rotation = nullptr;
    if (turn != 0 && rope == LayerRope::kGlobal) rotation = &*global;
    if (turn != 0 && rope == LayerRope::kLocal) rotation = &*local;
    // Where it does not run over itself, its rows are still whole if this is done again.
    const bool runs_over_itself = unit.from < unit.to + bytes && unit.to < unit.from + bytes;
    if (!runs_over_itself) {
      build(unit, move, unit.to, rotation);
    } else if (unit.from != unit.to) {
      if (step != 2 * index + 2) {
        build(unit, move, memory_.scratch.data(), rotation);
        set_step(2 * index + 2);
      }
      std::memcpy(unit.to, memory_.scratch.data(), bytes);
    }
    set_step(2 * index + 3);
  }
  wire::set_layout(header, move.to);
  stored();
  set_step(0);
}

CacheSlot::Unit CacheSlot::unit_of(const wire::SlotMove& move, uint32_t index) const {
  // Growing, the last head moves first; shrinking, the first: none runs over one that has yet to
  // move.
  const uint32_t nth = index % kv_heads_;
  const size_t head = move.to.capacity > move.from.capacity ? kv_heads_ - 1 - nth : nth;
  std::byte* tensor = stack_.tensors[index / kv_heads_];
  const bool is_key = index / kv_heads_ % 2 == 0;
  const size_t first_from = move.dropped() > 0 ? size_t{move.first} + move.dropped() : 0;
  const size_t first_to = move.dropped() > 0 ? move.first : 0;
  return {.from = tensor + (head * move.from.capacity + first_from) * row_bytes_,
          .to = tensor + (head * move.to.capacity + first_to) * row_bytes_,
          .is_key = is_key};
}

/// Writes what a unit becomes to `place`, which its rows do not reach into.
void CacheSlot::build(const Unit& unit, const wire::SlotMove& move, std::byte* place,
                      const KeyRotation* rotation) const {
  const uint32_t rows = rows_moved(move);
  std::memcpy(place, unit.from, rows * row_bytes_);
  if (!unit.is_key || !rotation) return;
  const KeyRows which{
      .kv_heads = 1, .past = rows, .head_dim = head_dim_, .first_row = 0, .rows = rows};
  const size_t numbers = size_t{rows} * head_dim_;
  if (type_ == CacheType::kF16) {
    rotation->apply(std::span(reinterpret_cast<uint16_t*>(place), numbers), which);
  } else {
    rotation->apply(std::span(reinterpret_cast<float*>(place), numbers), which);
  }
}

}  // namespace ovenbird
