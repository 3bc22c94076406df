// Where everything lies in an arena.
#include "wire/arena.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/limits.h"
#include "base/page_memory.h"

namespace ovenbird::wire {
namespace {

constexpr size_t kHeaderBytes = 4096;

/// Offsets of the parts, in order.
struct Places {
  size_t workers;
  size_t sessions;
  size_t slot_headers;
  size_t scratch;
  size_t slots;
  size_t slot_bytes;
  size_t end;
};

Places places_of(const ArenaShape& shape) {
  Places places{};
  places.workers = kHeaderBytes;
  places.sessions = places.workers + round_up_to_page(kWorkersMax * sizeof(WorkerStatus));
  places.slot_headers =
      places.sessions + round_up_to_page(size_t{shape.sessions_max} * sizeof(SessionEntry));
  places.scratch = places.slot_headers + size_t{shape.slots} * kSlotHeaderBytes;
  places.slots = places.scratch + round_up_to_page(shape.scratch_bytes);
  places.slot_bytes = round_up_to_page(shape.tensors * shape.tensor_bytes);
  places.end = places.slots + shape.slots * places.slot_bytes;
  return places;
}

Failure broken(const std::string& what) { return fail(Code::kCorrupt, "arena: " + what); }

bool is_sound(const ArenaShape& shape) {
  return shape.slots >= 1 && shape.slots <= limits::kSlotsMax && shape.sessions_max >= 1 &&
         shape.sessions_max <= limits::kSessionsMax && shape.rows <= limits::kContextMax &&
         shape.tensors <= 2 * limits::kLayersMax && shape.tensor_bytes <= limits::kTensorBytesMax &&
         shape.scratch_bytes <= shape.tensor_bytes;
}

}  // namespace

size_t Arena::bytes_for(const ArenaShape& shape) { return places_of(shape).end; }

Arena::Arena(std::span<std::byte> memory, const ArenaShape& shape)
    : shape_(shape), memory_(memory) {}

Arena Arena::create(std::span<std::byte> memory, const ArenaShape& shape) {
  auto* header = new (memory.data()) ArenaHeader();
  header->version = kWireVersion;
  header->slots = shape.slots;
  header->sessions_max = shape.sessions_max;
  header->rows = shape.rows;
  header->tensors = shape.tensors;
  header->tensor_bytes = shape.tensor_bytes;
  header->scratch_bytes = shape.scratch_bytes;
  header->total_bytes = bytes_for(shape);
  header->model = shape.model;
  shape.lock_path.copy(header->lock_path.data(), header->lock_path.size() - 1);
  header->magic = kArenaMagic;
  Arena arena(memory, shape);
  for (uint32_t index = 0; index < shape.sessions_max; ++index) arena.session(index).slot = kNoSlot;
  for (uint32_t index = 0; index < kWorkersMax; ++index) arena.worker(index).slot = kNoSlot;
  return arena;
}

Result<Arena> Arena::open(std::span<std::byte> memory) {
  if (memory.size() < kHeaderBytes) return broken("it has no header");
  const auto* header = reinterpret_cast<const ArenaHeader*>(memory.data());
  if (header->magic != kArenaMagic) return broken("its first bytes are not those of an arena");
  if (header->version != kWireVersion) {
    return fail(Code::kUnsupported, "arena: version " + std::to_string(header->version) +
                                        "; this program knows " + std::to_string(kWireVersion) +
                                        ": let all programs be of one release");
  }
  ArenaShape shape{.slots = header->slots,
                   .sessions_max = header->sessions_max,
                   .rows = header->rows,
                   .tensors = header->tensors,
                   .tensor_bytes = header->tensor_bytes,
                   .scratch_bytes = header->scratch_bytes,
                   .model = header->model};
  const auto& path = header->lock_path;
  shape.lock_path.assign(path.begin(), std::find(path.begin(), path.end(), '\0'));
  if (!is_sound(shape)) return broken("a size is out of range");
  if (memory.size() < bytes_for(shape)) {
    return broken("it has " + std::to_string(memory.size()) + " bytes and should have " +
                  std::to_string(bytes_for(shape)));
  }
  return Arena(memory, shape);
}

WorkerStatus& Arena::worker(uint32_t index) const {
  return reinterpret_cast<WorkerStatus*>(memory_.data() + places_of(shape_).workers)[index];
}

SessionEntry& Arena::session(uint32_t index) const {
  return reinterpret_cast<SessionEntry*>(memory_.data() + places_of(shape_).sessions)[index];
}

SlotHeader& Arena::slot_header(uint32_t slot) const {
  return *reinterpret_cast<SlotHeader*>(memory_.data() + places_of(shape_).slot_headers +
                                        size_t{slot} * kSlotHeaderBytes);
}

std::span<std::byte> Arena::slot_pages(uint32_t slot) const {
  const Places places = places_of(shape_);
  return memory_.subspan(places.slots + slot * places.slot_bytes, places.slot_bytes);
}

std::span<std::byte> Arena::scratch() const {
  return memory_.subspan(places_of(shape_).scratch, round_up_to_page(shape_.scratch_bytes));
}

}  // namespace ovenbird::wire
