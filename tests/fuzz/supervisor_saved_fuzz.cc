// Any bytes as a saved session, or a good one scribbled on, in sealed memory: what is taken has
// tokens and rows within its memory, and its rows fit into a slot, over whatever header that has.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "base/limits.h"
#include "shared_bytes.h"
#include "supervisor/saved_rows.h"

namespace ovenbird {
namespace {

constexpr uint32_t kRows = 8;
constexpr CacheFacts kFacts{.kv_heads = 2, .row_bytes = 4};

wire::ArenaShape shape_with_cache() {
  return {.slots = 1,
          .sessions_max = 1,
          .rows = kRows,
          .tensors = 4,
          .tensor_bytes = kFacts.kv_heads * kRows * kFacts.row_bytes,
          .scratch_bytes = kRows * kFacts.row_bytes};
}

/// A good one, of sizes that the input chooses.
std::vector<std::byte> saved_session(InputBytes& input) {
  wire::SavedHeader header{.vocabulary = 100, .tokens = input.next<uint8_t>() % 40u};
  header.rows = std::min(header.tokens, input.next<uint8_t>() % (kRows + 1));
  header.dropped = std::min(header.tokens - header.rows, uint32_t{input.next<uint8_t>()});
  header.computed = header.rows + header.dropped;
  header.tensors = 4;
  header.kv_heads = kFacts.kv_heads;
  header.row_bytes = kFacts.row_bytes;
  header.total_bytes = header.bytes();
  std::vector<std::byte> content(header.bytes());
  std::memcpy(content.data(), &header, sizeof header);
  return content;
}

FileDescriptor sealed(std::span<const std::byte> content) {
  FileDescriptor made(::memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  OVENBIRD_CHECK(::write(made.get(), content.data(), content.size()) == ssize_t(content.size()));
  constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  OVENBIRD_CHECK(::fcntl(made.get(), F_ADD_SEALS, kSeals) == 0);
  return made;
}

}  // namespace
}  // namespace ovenbird

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ovenbird;
  InputBytes input(data, size);
  const auto kind = input.next<uint8_t>();
  const wire::ArenaShape shape = (kind & 4) != 0 ? wire::ArenaShape() : shape_with_cache();
  const SharedBytes memory(wire::Arena::bytes_for(shape));
  const wire::Arena arena = wire::Arena::create(memory.bytes(), shape);
  std::vector<std::byte> content;
  if ((kind & 1) != 0) {
    content = saved_session(input);
  } else {
    const auto raw = std::as_bytes(input.take(input.next<uint16_t>()));
    content.assign(raw.begin(), raw.end());
  }
  if ((kind & 2) != 0) input.scribble_on(content);
  const Result<SavedSession> saved = SavedSession::open(sealed(content), arena, kFacts);
  if (!saved) {
    OVENBIRD_CHECK(!saved.error().message.empty());
    return 0;
  }
  const auto tokens = saved->tokens();
  OVENBIRD_CHECK(tokens.size() <= limits::kSessionTokensMax && saved->computed() <= tokens.size());
  volatile int64_t sum = std::accumulate(tokens.begin(), tokens.end(), int64_t{0});
  (void)sum;
  if (!saved->has_rows()) return 0;
  OVENBIRD_CHECK(shape.tensors > 0);
  input.scribble_on(std::as_writable_bytes(std::span(&arena.slot_header(0), 1)));
  if (!saved->copy_rows_into(0)) return 0;
  const wire::SlotLayout layout = wire::layout_of(arena.slot_header(0));
  OVENBIRD_CHECK(layout.capacity == kRows && layout.dropped <= saved->computed());
  OVENBIRD_CHECK(saved->computed() - layout.dropped <= kRows);
  return 0;
}
