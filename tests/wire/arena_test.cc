// Arena: its parts lie one behind another and apart from each other; opened from every cut and with
// each field of its header wrong.
#include "wire/arena.h"

#include <cstring>
#include <string>

#include <doctest/doctest.h>

#include "base/limits.h"
#include "wire/spoiled_bytes.h"

namespace ovenbird::wire {
namespace {

/// 2 layers, 3 heads of 4 numbers of 16 bits, 100 rows.
ArenaShape small_shape() {
  ArenaShape shape{.slots = 3,
                   .sessions_max = 70,
                   .rows = 100,
                   .tensors = 4,
                   .tensor_bytes = 3 * 100 * 4 * 2,
                   .scratch_bytes = 100 * 4 * 2,
                   .lock_path = "/run/user/1/ovenbird.socket.lock"};
  shape.model.fill(std::byte{0xab});
  return shape;
}

PageBytes new_arena(const ArenaShape& shape) {
  PageBytes memory(Arena::bytes_for(shape));
  Arena::create(memory.bytes(), shape);
  return memory;
}

ArenaHeader& header_of(const PageBytes& memory) {
  return *reinterpret_cast<ArenaHeader*>(memory.bytes().data());
}

size_t offset_in(const PageBytes& memory, const void* place) {
  return static_cast<size_t>(static_cast<const std::byte*>(place) - memory.bytes().data());
}

TEST_CASE("an arena is opened as it was made, with nobody in any slot") {
  const PageBytes memory = new_arena(small_shape());
  const auto arena = Arena::open(memory.bytes());
  REQUIRE(arena);
  CHECK(arena->shape() == small_shape());
  for (uint32_t i = 0; i < 70; ++i) {
    CHECK(arena->session(i).session == 0);
    CHECK(arena->session(i).slot == kNoSlot);
  }
  for (uint32_t i = 0; i < kWorkersMax; ++i) CHECK(arena->worker(i).slot == kNoSlot);
  for (uint32_t i = 0; i < 3; ++i) CHECK(layout_of(arena->slot_header(i)).capacity == 0);
}

TEST_CASE("the parts lie one behind another, in pages of their own") {
  const PageBytes memory = new_arena(small_shape());
  const Arena arena = *Arena::open(memory.bytes());
  CHECK(offset_in(memory, &arena.worker(0)) == 4096);
  CHECK(offset_in(memory, &arena.worker(3)) == 4096 + 3 * 64);
  CHECK(offset_in(memory, &arena.session(0)) == 2 * 4096);
  CHECK(offset_in(memory, &arena.session(69)) == 2 * 4096 + 69 * 64);  // 2 pages
  CHECK(offset_in(memory, &arena.slot_header(0)) == 4 * 4096);
  CHECK(offset_in(memory, &arena.slot_header(2)) == 6 * 4096);
  CHECK(offset_in(memory, arena.scratch().data()) == 7 * 4096);
  CHECK(arena.scratch().size() == 4096);
  CHECK(offset_in(memory, arena.slot_pages(0).data()) == 8 * 4096);
  CHECK(arena.slot_pages(0).size() == 3 * 4096);  // 4 tensors of 2,400 bytes
  CHECK(offset_in(memory, arena.slot_pages(2).data()) == 14 * 4096);
  CHECK(memory.bytes().size() == 17 * 4096);
}

TEST_CASE("without a cache there are slots without pages") {
  const PageBytes memory = new_arena({.slots = 2, .sessions_max = 1});
  const Arena arena = *Arena::open(memory.bytes());
  CHECK(arena.slot_pages(1).empty());
  CHECK(arena.scratch().empty());
  CHECK(arena.shape().lock_path.empty());
}

TEST_CASE("more memory than an arena needs is left alone, less is refused, at every cut") {
  const PageBytes memory = new_arena(small_shape());
  const auto whole = memory.bytes();
  for (size_t bytes = 0; bytes < whole.size(); bytes += bytes < 5000 ? 1 : 61) {
    const PageBytes cut(whole.first(bytes));
    check_refusal(Arena::open(cut.bytes()), Code::kCorrupt, std::to_string(bytes) + " bytes");
  }
  check_refusal(Arena::open(whole.first(whole.size() - 1)), Code::kCorrupt, "should have");
  PageBytes longer(whole.size() + 1);
  std::memcpy(longer.bytes().data(), whole.data(), whole.size());
  CHECK(Arena::open(longer.bytes()));
}

TEST_CASE("each field of the header that is wrong is called by its name") {
  const PageBytes memory = new_arena(small_shape());
  ArenaHeader& header = header_of(memory);
  const auto refused = [&](auto& field, auto value, Code code, const std::string& part) {
    const auto right = field;
    field = value;
    check_refusal(Arena::open(memory.bytes()), code, part);
    field = right;
    REQUIRE(Arena::open(memory.bytes()));
  };
  for (const uint64_t magic : {uint64_t{0}, kArenaMagic + 1, ~kArenaMagic}) {
    refused(header.magic, magic, Code::kCorrupt, "first bytes");
  }
  for (const uint32_t version : {0u, kWireVersion + 1, ~0u}) {
    refused(header.version, version, Code::kUnsupported, "version " + std::to_string(version));
  }
  for (const uint32_t slots : {0u, limits::kSlotsMax + 1, ~0u}) {
    refused(header.slots, slots, Code::kCorrupt, "slots is");
  }
  for (const uint32_t sessions : {0u, limits::kSessionsMax + 1, ~0u}) {
    refused(header.sessions_max, sessions, Code::kCorrupt, "sessions_max is");
  }
  for (const uint32_t rows : {limits::kContextMax + 1, ~0u}) {
    refused(header.rows, rows, Code::kCorrupt, "rows is");
  }
  for (const uint32_t tensors : {2 * limits::kLayersMax + 1, ~0u}) {
    refused(header.tensors, tensors, Code::kCorrupt, "tensors is");
  }
  for (const uint64_t bytes : {limits::kTensorBytesMax + 1, ~uint64_t{0}}) {
    refused(header.tensor_bytes, bytes, Code::kCorrupt, "tensor_bytes is");
  }
  for (const uint64_t bytes : {header.tensor_bytes + 1, ~uint64_t{0}}) {
    refused(header.scratch_bytes, bytes, Code::kCorrupt, "scratch_bytes is");
  }
  for (const uint64_t bytes : {uint64_t{0}, header.total_bytes - 1, ~uint64_t{0}}) {
    refused(header.total_bytes, bytes, Code::kCorrupt, "total_bytes is");
  }
}

TEST_CASE("a path may fill its field but for the zero behind it") {
  ArenaShape shape = small_shape();
  shape.lock_path = std::string(kPathBytesMax - 128 - 1, 'p');
  const PageBytes memory = new_arena(shape);
  REQUIRE(Arena::open(memory.bytes()));
  CHECK(Arena::open(memory.bytes())->shape().lock_path == shape.lock_path);
  header_of(memory).lock_path.fill('p');
  check_refusal(Arena::open(memory.bytes()), Code::kCorrupt, "lock_path");
}

TEST_CASE("sizes at their limits need the memory that they say, and nothing wraps") {
  const ArenaShape shape{.slots = limits::kSlotsMax,
                         .sessions_max = limits::kSessionsMax,
                         .rows = limits::kContextMax,
                         .tensors = 2 * limits::kLayersMax,
                         .tensor_bytes = limits::kTensorBytesMax,
                         .scratch_bytes = limits::kTensorBytesMax};
  CHECK(Arena::bytes_for(shape) > uint64_t{1} << 53);
  CHECK(Arena::bytes_for(shape) < uint64_t{1} << 54);
  const PageBytes memory = new_arena(small_shape());
  ArenaHeader& header = header_of(memory);
  header.slots = shape.slots;
  header.sessions_max = shape.sessions_max;
  header.rows = shape.rows;
  header.tensors = shape.tensors;
  header.tensor_bytes = shape.tensor_bytes;
  header.scratch_bytes = shape.scratch_bytes;
  header.total_bytes = Arena::bytes_for(shape);
  check_refusal(Arena::open(memory.bytes()), Code::kCorrupt, "should have");
}

TEST_CASE("whatever stands in the header, what is opened lies within the memory") {
  const PageBytes memory = new_arena(small_shape());
  for_each_spoiled_byte(memory.bytes().first(128), [&] {
    const auto arena = Arena::open(memory.bytes());
    if (!arena) return;
    const auto last = arena->slot_pages(arena->shape().slots - 1);
    CHECK(last.data() + last.size() <= memory.bytes().data() + memory.bytes().size());
  });
}

TEST_CASE("what has been opened keeps its layout, whatever is written over it") {
  const PageBytes memory = new_arena(small_shape());
  const Arena arena = *Arena::open(memory.bytes());
  std::memset(memory.bytes().data(), 0xff, 4096);
  CHECK(arena.shape() == small_shape());
  CHECK(offset_in(memory, arena.slot_pages(2).data()) == 14 * 4096);
}

TEST_CASE("a slot's layout changes in one store") {
  SlotHeader header{};
  set_layout(header, {.capacity = 1, .dropped = 2});
  CHECK(header.layout == (uint64_t{2} << 32 | 1));
  set_layout(header, {.capacity = ~0u, .dropped = 0});
  CHECK(layout_of(header).capacity == ~0u);
  CHECK(layout_of(header).dropped == 0);
}

}  // namespace
}  // namespace ovenbird::wire
