// Bytes of a saved session: a file, and the memory that client and supervisor hand each other.
//
//   SavedHeader     128 bytes
//   tokens          i32 [tokens]
//   rows            [tensors][kv_heads][rows][row_bytes]: what the slot held of them, without gaps
//
// Everything is little-endian. What stands behind the header is hashed into it by whoever writes
// the file, and compared by whoever reads it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "wire/arena.h"
#include "wire/version.h"

namespace ovenbird::wire {

inline constexpr uint64_t kSavedMagic = 0x6576'6173'6472'626f;  // "obrdsave"

struct SavedHeader {
  uint64_t magic = kSavedMagic;
  uint32_t version = kWireVersion;
  uint32_t vocabulary = 0;
  Digest model{};    // of the bundle's manifest
  Digest content{};  // SHA-256 of all that follows the header
  uint32_t tokens = 0;
  uint32_t computed = 0;  // of these tokens: rows, and those dropped
  uint32_t dropped = 0;   // of the computed: have no row any more
  uint32_t rows = 0;      // computed - dropped, or 0: nothing was held
  uint32_t tensors = 0;   // 2 * layers
  uint32_t kv_heads = 0;
  uint32_t row_bytes = 0;  // of one head
  uint32_t unused = 0;
  uint64_t total_bytes = 0;
  uint64_t unused_too = 0;

  uint64_t bytes() const {
    return sizeof(SavedHeader) + uint64_t{tokens} * sizeof(int32_t) +
           uint64_t{tensors} * kv_heads * rows * row_bytes;
  }
};
static_assert(sizeof(SavedHeader) == 128);

}  // namespace ovenbird::wire
