// A session out of the arena into memory that a client can keep, and back.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/file_descriptor.h"
#include "base/shared_memory.h"
#include "ovenbird/result.hpp"
#include "wire/arena.h"
#include "wire/record.h"
#include "wire/saved_session.h"

namespace ovenbird {

/// What the arena does not say about its rows.
struct CacheFacts {
  uint32_t kv_heads = 0;
  uint32_t row_bytes = 0;  // of one head
};

/// A sealed memfd with all of the session, laid out as wire/saved_session.h says; without rows
/// where it has no slot. No turn may be under way. Errors: kIo.
Result<FileDescriptor> save_session(const wire::Record& record, const wire::Arena& arena,
                                    std::optional<uint32_t> slot, const CacheFacts& facts);

uint64_t size_of(const FileDescriptor& file);

/// A saved session that has come back, checked: its bytes cannot change any more.
class SavedSession {
 public:
  /// Errors: kCorrupt (not sealed, or what it says cannot be), kInvalidArgument (another model's),
  /// kUnsupported (another version, or another layout of rows).
  static Result<SavedSession> open(FileDescriptor file, const wire::Arena& arena,
                                   const CacheFacts& facts);

  std::span<const int32_t> tokens() const { return tokens_; }
  uint32_t computed() const { return header_.computed; }
  bool has_rows() const { return header_.rows > 0; }

  /// Writes the rows and the header of a slot that nobody has. False: nothing was written, for a
  /// worker has yet to end a move of rows in it that another one has begun.
  bool copy_rows_into(uint32_t slot) const;

 private:
  SavedSession(SharedMemory memory, const wire::SavedHeader& header, const wire::Arena& arena);

  SharedMemory memory_;
  wire::SavedHeader header_;
  const wire::Arena& arena_;
  std::span<const int32_t> tokens_;
  std::span<const std::byte> rows_;
};

}  // namespace ovenbird
