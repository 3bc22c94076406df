// Saved sessions between files and the memory that supervisors take and give.
#pragma once

#include <filesystem>

#include "base/file_descriptor.h"
#include "ovenbird/result.hpp"
#include "wire/saved_session.h"

namespace ovenbird::client {

/// Writes what a supervisor has handed over, with its digest, whole or not at all: a file that was
/// there stays until the new one is on the disk. Blocks for the disk. Gives the header. Errors:
/// kCorrupt (it is no saved session), kIo.
Result<wire::SavedHeader> write_session_file(const std::filesystem::path& path,
                                             FileDescriptor saved);

/// Sealed memory with what the file holds. Errors: kNotFound, kIo (also a directory, a device or a
/// pipe), kCorrupt (cut, damaged, or no saved session), kUnsupported (another release's).
Result<FileDescriptor> read_session_file(const std::filesystem::path& path);

}  // namespace ovenbird::client
