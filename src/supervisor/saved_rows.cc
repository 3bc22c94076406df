// Rows without the gaps of a slot, and into them again.
#include "supervisor/saved_rows.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "base/limits.h"
#include "wire/copied_once.h"

namespace ovenbird {
namespace {

/// Calls copy(slot bytes, saved offset, bytes) for the rows of each head of each tensor.
template <typename Copy>
void for_each_head(std::span<std::byte> slot, const wire::SavedHeader& header,
                   uint64_t tensor_bytes, uint32_t capacity, Copy copy) {
  const size_t bytes = size_t{header.rows} * header.row_bytes;
  size_t saved = 0;
  for (size_t tensor = 0; tensor < header.tensors; ++tensor) {
    for (size_t head = 0; head < header.kv_heads; ++head) {
      const size_t place = tensor * tensor_bytes + head * capacity * header.row_bytes;
      copy(slot.data() + place, saved, bytes);
      saved += bytes;
    }
  }
}

wire::SavedHeader header_for(const wire::Record& record, const wire::Arena& arena,
                             std::optional<uint32_t> slot, const CacheFacts& facts) {
  const wire::Point point = record.point();
  wire::SavedHeader header{.vocabulary = record.shape().vocabulary,
                           .model = arena.shape().model,
                           .tokens = point.tokens,
                           .tensors = arena.shape().tensors,
                           .kv_heads = facts.kv_heads,
                           .row_bytes = facts.row_bytes};
  if (slot && arena.shape().tensors > 0) {
    const wire::SlotLayout layout = wire::layout_of(arena.slot_header(*slot));
    // A worker that died in the middle of a move left rows that its successor puts in order.
    const bool is_sound =
        wire::move_step_of(arena.slot_header(*slot)) == 0 && layout.dropped <= point.computed &&
        point.computed - layout.dropped <= layout.capacity && layout.capacity <= arena.shape().rows;
    if (is_sound) {
      header.computed = point.computed;
      header.dropped = layout.dropped;
      header.rows = point.computed - layout.dropped;
    }
  }
  header.total_bytes = header.bytes();
  return header;
}

Failure broken(const std::string& what) { return fail(Code::kCorrupt, "load session: " + what); }

Status check(const wire::SavedHeader& header, size_t bytes, const wire::Arena& arena,
             const CacheFacts& facts) {
  const wire::ArenaShape& shape = arena.shape();
  if (header.magic != wire::kSavedMagic) return broken("it is not a saved session");
  if (header.version != wire::kWireVersion) {
    return fail(Code::kUnsupported, "load session: it is of version " +
                                        std::to_string(header.version) + "; this program knows " +
                                        std::to_string(wire::kWireVersion));
  }
  if (header.model != shape.model) {
    return fail(Code::kInvalidArgument, "load session: it was saved with another bundle");
  }
  if (header.tokens > limits::kSessionTokensMax || header.computed > header.tokens ||
      header.dropped > header.computed || header.rows > shape.rows ||
      (header.rows > 0 && header.rows != header.computed - header.dropped)) {
    return broken("its counts cannot be");
  }
  if (header.rows > 0 && (header.tensors != shape.tensors || header.kv_heads != facts.kv_heads ||
                          header.row_bytes != facts.row_bytes)) {
    return fail(Code::kUnsupported, "load session: its rows are laid out for another plan");
  }
  if (header.tensors > 2 * limits::kLayersMax || header.kv_heads > limits::kHiddenMax ||
      header.row_bytes > 4 * limits::kHiddenMax || header.bytes() != bytes) {
    return broken("it has " + std::to_string(bytes) + " bytes, which is not what it says");
  }
  return ok();
}

}  // namespace

uint64_t size_of(const FileDescriptor& file) {
  struct stat status {};
  return ::fstat(file.get(), &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
}

Result<FileDescriptor> save_session(const wire::Record& record, const wire::Arena& arena,
                                    std::optional<uint32_t> slot, const CacheFacts& facts) {
  const wire::SavedHeader header = header_for(record, arena, slot, facts);
  Result<SharedMemory> memory = SharedMemory::create_sealable(header.total_bytes);
  if (!memory) return fail_in("save session", memory.error());
  std::byte* place = memory->bytes().data();
  std::memcpy(place, &header, sizeof header);
  place += sizeof header;
  const size_t token_bytes = size_t{header.tokens} * sizeof(int32_t);
  std::memcpy(place, record.tokens().data(), token_bytes);
  place += token_bytes;
  if (header.rows > 0) {
    const uint32_t capacity = wire::layout_of(arena.slot_header(*slot)).capacity;
    for_each_head(arena.slot_pages(*slot), header, arena.shape().tensor_bytes, capacity,
                  [&](const std::byte* rows, size_t saved, size_t bytes) {
                    std::memcpy(place + saved, rows, bytes);
                  });
  }
  return SharedMemory::seal(std::move(*memory));
}

SavedSession::SavedSession(SharedMemory memory, const wire::SavedHeader& header,
                           const wire::Arena& arena)
    : memory_(std::move(memory)), header_(header), arena_(arena) {
  const auto content = std::span<const std::byte>(memory_.bytes()).subspan(sizeof header_);
  tokens_ = {reinterpret_cast<const int32_t*>(content.data()), header_.tokens};
  rows_ = content.subspan(tokens_.size_bytes());
}

Result<SavedSession> SavedSession::open(FileDescriptor file, const wire::Arena& arena,
                                        const CacheFacts& facts) {
  Result<SharedMemory> memory = SharedMemory::map_sealed(std::move(file), limits::kSavedBytesMax);
  if (!memory) return fail_in("load session", memory.error());
  if (memory->bytes().size() < sizeof(wire::SavedHeader)) return broken("it has no header");
  const auto header = wire::copied_once<wire::SavedHeader>(memory->bytes());
  if (Status sound = check(header, memory->bytes().size(), arena, facts); !sound) {
    return Failure{sound.error()};
  }
  return SavedSession(std::move(*memory), header, arena);
}

bool SavedSession::copy_rows_into(uint32_t slot) const {
  wire::SlotHeader& header = arena_.slot_header(slot);
  if (wire::move_step_of(header) != 0) return false;
  // The largest layout, which every graph can be given.
  const uint32_t capacity = arena_.shape().rows;
  for_each_head(arena_.slot_pages(slot), header_, arena_.shape().tensor_bytes, capacity,
                [&](std::byte* rows, size_t saved, size_t bytes) {
                  std::memcpy(rows, rows_.data() + saved, bytes);
                });
  wire::set_last_step(header, {});
  wire::set_layout(header, {.capacity = capacity, .dropped = header_.dropped});
  return true;
}

}  // namespace ovenbird
