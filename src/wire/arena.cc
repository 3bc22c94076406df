// Where everything lies in an arena.
#include "wire/arena.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/limits.h"
#include "base/page_memory.h"
#include "wire/copied_once.h"

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

Failure wrong(const std::string& field, uint64_t value) {
  return broken("its " + field + " is " + std::to_string(value));
}

/// Whether a header's sizes can be computed with. Errors: kCorrupt.
Status check(const ArenaHeader& header) {
  if (header.slots < 1 || header.slots > limits::kSlotsMax) return wrong("slots", header.slots);
  if (header.sessions_max < 1 || header.sessions_max > limits::kSessionsMax) {
    return wrong("sessions_max", header.sessions_max);
  }
  if (header.rows > limits::kContextMax) return wrong("rows", header.rows);
  if (header.tensors > 2 * limits::kLayersMax) return wrong("tensors", header.tensors);
  if (header.tensor_bytes > limits::kTensorBytesMax) {
    return wrong("tensor_bytes", header.tensor_bytes);
  }
  if (header.scratch_bytes > header.tensor_bytes) {
    return wrong("scratch_bytes", header.scratch_bytes);
  }
  return ok();
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
  if (memory.size() < kHeaderBytes) {
    return broken("it has " + std::to_string(memory.size()) + " bytes, which hold no header");
  }
  // Copied before anything is checked: nobody can change what has been checked.
  const auto header = copied_once<ArenaHeader>(memory);
  if (header.magic != kArenaMagic) return broken("its first bytes are not those of an arena");
  if (header.version != kWireVersion) {
    return fail(Code::kUnsupported, "arena: version " + std::to_string(header.version) +
                                        "; this program knows " + std::to_string(kWireVersion) +
                                        ": let all programs be of one release");
  }
  if (const Status sound = check(header); !sound) return Failure{sound.error()};
  ArenaShape shape{.slots = header.slots,
                   .sessions_max = header.sessions_max,
                   .rows = header.rows,
                   .tensors = header.tensors,
                   .tensor_bytes = header.tensor_bytes,
                   .scratch_bytes = header.scratch_bytes,
                   .model = header.model};
  const auto& path = header.lock_path;
  const auto end = std::find(path.begin(), path.end(), '\0');
  if (end == path.end()) return broken("its lock_path has no end");
  shape.lock_path.assign(path.begin(), end);
  if (header.total_bytes != bytes_for(shape)) return wrong("total_bytes", header.total_bytes);
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
