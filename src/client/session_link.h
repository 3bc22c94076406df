// What a connection and one session must know of each other.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "base/file_descriptor.h"
#include "base/shared_memory.h"
#include "ovenbird/result.hpp"
#include "wire/message_socket.h"
#include "wire/record.h"

namespace ovenbird::client {

/// Which object of shared memory a descriptor stands for.
struct ObjectId {
  dev_t device = 0;
  ino_t number = 0;
  bool operator==(const ObjectId&) const = default;
};

/// Errors: kIo.
Result<ObjectId> id_of(const FileDescriptor& descriptor);

/// One session, from the moment that it was opened. `events` is the only descriptor that a program
/// sees: what stands behind it may change when a supervisor is replaced.
struct SessionLink {
  // Set once, before the connection knows it.
  uint64_t session = 0;
  uint64_t key = 0;
  ObjectId object;
  SharedMemory memory;
  std::optional<wire::Record> record;
  FileDescriptor events{-1};  // an epoll instance; none: the session is not pollable

  // The connection's, under its mutex.
  FileDescriptor notice{-1};     // becomes readable when the record has changed
  FileDescriptor bell{-1};       // ... when anything below has, or when it is time to look again
  uint32_t request = 0;          // what its messages of the current turn are called
  std::optional<Error> refused;  // the first of these that was not taken
  std::optional<Error> lost;     // why the session is not to be had any more
};

}  // namespace ovenbird::client
