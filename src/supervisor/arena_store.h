// The shared memory of a supervisor: made, found again after a crash, removed.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "base/file_descriptor.h"
#include "base/shared_memory.h"
#include "ovenbird/result.hpp"
#include "wire/arena.h"

namespace ovenbird {

/// The arena and the records beside it. With a lock file they have names,
///
///   /ovenbird-<32 hexadecimal digits>            the arena
///   /ovenbird-<the same digits>-<number>         the record of that session
///
/// and whoever holds the file's lock owns them: a supervisor that is started again after it was
/// killed takes the lock, reads the digits in the file and goes on with what it finds. Without a
/// lock file nothing has a name, and all is gone with the last process that has it mapped.
///
/// The lock file: 8 bytes "ovenbird", the wire's version as 4 bytes, the digits; 44 bytes.
class ArenaStore {
 public:
  /// `lock_path` empty: no names. Takes over what a supervisor of the same arena shape has left,
  /// else begins anew and removes what is of no use. Waits for the last worker of that supervisor
  /// to be gone. Errors: kBusy (another supervisor holds the lock), kIo.
  static Result<ArenaStore> open(wire::ArenaShape shape, const std::string& lock_path);

  ArenaStore(ArenaStore&&) = default;
  ArenaStore& operator=(ArenaStore&&) = delete;

  const wire::Arena& arena() const { return arena_; }
  int descriptor() const { return memory_.descriptor().get(); }

  /// Whether the arena is another supervisor's, with sessions in its table.
  bool is_taken_over() const { return is_taken_over_; }

  /// Errors: kIo.
  Result<SharedMemory> create_record(uint64_t session, size_t bytes) const;
  /// One that the supervisor before has made. Errors: kNotFound, kCorrupt, kIo.
  Result<SharedMemory> open_record(uint64_t session) const;
  void remove_record(uint64_t session) const;
  /// Removes what a supervisor has left that died while it opened or closed a session.
  void remove_records_but(const std::set<uint64_t>& sessions) const;

  /// Removes all names. The lock file goes last.
  void remove() const;

 private:
  ArenaStore(std::string digits, std::string lock_path, FileDescriptor lock, SharedMemory memory,
             const wire::Arena& arena, bool is_taken_over);
  std::string record_name(uint64_t session) const;

  std::string digits_;  // empty: without names
  std::string lock_path_;
  FileDescriptor lock_;
  SharedMemory memory_;
  wire::Arena arena_;
  bool is_taken_over_;
};

/// Removes objects of this user that are provably dead: arenas that no worker holds, whose lock
/// file nobody holds and which it does not name, and records without an arena. Others stay.
void remove_dead_arenas();

}  // namespace ovenbird
