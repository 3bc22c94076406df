// Any bytes as an arena, or a good one scribbled on before it is opened and after: whatever it then
// says where to find lies within its memory.
#include <cstddef>
#include <cstdint>

#include "shared_bytes.h"
#include "wire/arena.h"

namespace ovenbird::wire {
namespace {

/// Reads and writes the ends of every part.
void use(const Arena& arena, std::span<std::byte> memory) {
  const ArenaShape& shape = arena.shape();
  for (uint32_t i = 0; i < kWorkersMax; ++i) arena.worker(i).steps += 1;
  for (const uint32_t i : {0u, shape.sessions_max - 1}) arena.session(i).slot = kNoSlot;
  OVENBIRD_CHECK(lies_in(arena.scratch(), memory));
  OVENBIRD_CHECK(arena.scratch().size() >= shape.scratch_bytes);
  for (uint32_t slot = 0; slot < shape.slots; ++slot) {
    set_layout(arena.slot_header(slot), layout_of(arena.slot_header(slot)));
    const auto pages = arena.slot_pages(slot);
    OVENBIRD_CHECK(lies_in(pages, memory) && pages.size() >= shape.tensors * shape.tensor_bytes);
    if (!pages.empty()) pages.front() = pages.back();
  }
  OVENBIRD_CHECK(shape.lock_path.find('\0') == std::string::npos);
}

}  // namespace
}  // namespace ovenbird::wire

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ovenbird;
  using namespace ovenbird::wire;
  InputBytes input(data, size);
  const auto kind = input.next<uint8_t>();
  ArenaShape shape{.slots = 1 + input.next<uint8_t>() % 3u,
                   .sessions_max = 1 + input.next<uint8_t>() % 100u,
                   .rows = input.next<uint8_t>(),
                   .tensors = input.next<uint8_t>() % 5u,
                   .tensor_bytes = input.next<uint16_t>() % 5000u};
  shape.scratch_bytes = shape.tensor_bytes / 2;
  const size_t bytes = Arena::bytes_for(shape);
  open_shared<Arena>(input, kind, shape, bytes, use);
  return 0;
}
