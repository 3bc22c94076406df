// The names of shared memory, and the file that says which is whose.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_descriptor.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

std::string arena_name(const std::string& digits);
std::string record_name(const std::string& digits, uint64_t session);

/// What there is in /dev/shm by these names: digits of arenas, and names of records.
struct ObjectNames {
  std::vector<std::string> arenas;  // digits
  std::vector<std::string> records;
};
ObjectNames list_objects();

/// The digits that a record's name holds; empty: it is no such name.
std::string digits_of_record(std::string_view name);

/// Holds the lock of the file at `path`, which is made if it is not there. Errors: kBusy (another
/// process holds it), kIo.
Result<FileDescriptor> take_lock_file(const std::string& path);

/// The digits that stand in a lock file; none: there are none.
std::optional<std::string> digits_in(const FileDescriptor& lock_file);

/// Errors: kIo.
Status write_digits(const FileDescriptor& lock_file, const std::string& digits);

/// Whether a lock file is there and somebody holds it, and the digits in it: those of the arena
/// that its holder has, or is about to make.
struct LockState {
  bool is_held = false;
  std::optional<std::string> digits;
};
LockState look_at_lock_file(const std::string& path);

}  // namespace ovenbird
