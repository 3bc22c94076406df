// POSIX shared memory: a mapping of an object that other processes may map too.
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
  /// Errors: kIo (naming /dev/shm and what it lacks).
  static Result<SharedMemory> create(const std::string& name, size_t bytes);

  /// The same without a name: it is gone with its last descriptor and mapping.
  static Result<SharedMemory> create_unnamed(size_t bytes);

  /// The object of that name, whole. Errors: kNotFound, kIo; kCorrupt (somebody else's, or others
  /// may open it).
  static Result<SharedMemory> open(const std::string& name, Access access);

  /// Maps `bytes` of an object that a peer handed over.
  /// Errors: kCorrupt (it is shorter than that, or no regular file), kIo.
  static Result<SharedMemory> map(FileDescriptor descriptor, size_t bytes, Access access);

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

  /// A descriptor of the same object through which nobody can write. Errors: kIo.
  Result<FileDescriptor> read_only_descriptor() const;

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
