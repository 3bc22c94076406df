// POSIX shared memory: a mapping of an object that other processes may map too.
//
// Whoever can shrink an object can have those killed who have mapped it: reading a page that is no
// longer there is SIGBUS. So what has no name is sealed against it, what comes from a peer that
// need not be trusted is taken sealed or not at all (map_sealed), and what has a name, which no
// seal can be put on, is for processes that trust its owner.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "base/file_descriptor.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

enum class Access { kRead, kReadWrite };

/// Owns a descriptor and its mapping. Moving it does not move the bytes.
class SharedMemory {
 public:
  /// A new zeroed object, mode 0600, with all its memory allocated: a full /dev/shm is an error
  /// here, not a signal later. `name` begins with "/" and must be free.
  /// Errors: kIo (naming what lacks room: /dev/shm, or the limit of `ulimit -f`), kInvalidArgument
  /// (0 bytes).
  static Result<SharedMemory> create(const std::string& name, size_t bytes);

  /// The same without a name: it is gone with its last descriptor and mapping, however its makers
  /// die. It can neither shrink nor grow. It does not count against /dev/shm; what the machine has
  /// not available is refused. Errors: as above.
  static Result<SharedMemory> create_unnamed(size_t bytes);

  /// The same, to be filled and then sealed with seal().
  static Result<SharedMemory> create_sealable(size_t bytes);

  /// The object of that name, whole. Errors: kNotFound, kIo; kCorrupt (somebody else's, others
  /// may open it, empty, or no regular file).
  static Result<SharedMemory> open(const std::string& name, Access access);

  /// Maps `bytes` of an object that a peer handed over who is trusted not to shrink it.
  /// Errors: kCorrupt (it is shorter than that, or no regular file), kIo.
  static Result<SharedMemory> map(FileDescriptor descriptor, size_t bytes, Access access);

  /// Maps the whole of an object that anybody handed over, to read. Whatever the peer does, its
  /// bytes stay, and stay the same. Errors: kCorrupt (it is not of memory, not sealed, empty,
  /// longer than `bytes_max`, or has holes, which would take memory when read), kIo.
  static Result<SharedMemory> map_sealed(FileDescriptor descriptor, size_t bytes_max);

  SharedMemory() = default;
  SharedMemory(SharedMemory&& other) noexcept
      : descriptor_(std::move(other.descriptor_)), bytes_(std::exchange(other.bytes_, {})) {}
  SharedMemory& operator=(SharedMemory&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~SharedMemory();

  std::span<std::byte> bytes() const { return bytes_; }
  const FileDescriptor& descriptor() const { return descriptor_; }

  /// A descriptor of the same object through which nobody can write, map to write, or shrink. It
  /// keeps mistakes out, not malice: a process of the same user may open the object behind it anew,
  /// as it may attach a debugger. Errors: kIo.
  Result<FileDescriptor> read_only_descriptor() const;

  /// Ends the mapping of a create_sealable() object and seals it: nobody can change it any more, in
  /// no process. Errors: kIo (something else maps it to write, or it is none of those).
  static Result<FileDescriptor> seal(SharedMemory memory);

  /// Removes a name; mappings stay. A name that is not there is no error. Errors: kIo.
  static Status remove(const std::string& name);

 private:
  SharedMemory(FileDescriptor descriptor, std::span<std::byte> bytes)
      : descriptor_(std::move(descriptor)), bytes_(bytes) {}

  FileDescriptor descriptor_{-1};
  std::span<std::byte> bytes_;
};

/// 32 hexadecimal digits that nobody can guess, for names and keys. Errors: kIo.
Result<std::string> unguessable_name();

}  // namespace ovenbird
