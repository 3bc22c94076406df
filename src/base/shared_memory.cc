// shm_open, posix_fallocate, mmap.
#include "base/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace ovenbird {
namespace {

std::string reason(int error) { return std::strerror(error); }

Failure no_room(size_t bytes, int error) {
  return fail(Code::kIo, "allocate " + std::to_string(bytes) +
                             " bytes of shared memory: " + reason(error) +
                             "; /dev/shm holds it: `df -h /dev/shm` says what is free");
}

Result<std::span<std::byte>> map_bytes(int descriptor, size_t bytes, Access access) {
  const int protection = access == Access::kRead ? PROT_READ : PROT_READ | PROT_WRITE;
  void* start = ::mmap(nullptr, bytes, protection, MAP_SHARED, descriptor, 0);
  if (start == MAP_FAILED) {
    return fail(Code::kIo,
                "map " + std::to_string(bytes) + " bytes of shared memory: " + reason(errno));
  }
  return std::span(static_cast<std::byte*>(start), bytes);
}

/// Gives an empty object its size, for real.
Status allocate(int descriptor, size_t bytes) {
  int error = 0;
  do {
    error = ::posix_fallocate(descriptor, 0, static_cast<off_t>(bytes));
  } while (error == EINTR);
  if (error != 0) return no_room(bytes, error);
  return ok();
}

}  // namespace

Result<SharedMemory> SharedMemory::create(const std::string& name, size_t bytes) {
  FileDescriptor descriptor(::shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600));
  if (!descriptor) {
    return fail(Code::kIo, "create shared memory " + name + ": " + reason(errno));
  }
  Status allocated = allocate(descriptor.get(), bytes);
  Result<std::span<std::byte>> mapped =
      allocated ? map_bytes(descriptor.get(), bytes, Access::kReadWrite)
                : Result<std::span<std::byte>>(Failure{allocated.error()});
  if (!mapped) {
    ::shm_unlink(name.c_str());
    return Failure{mapped.error()};
  }
  return SharedMemory(std::move(descriptor), *mapped);
}

Result<SharedMemory> SharedMemory::create_unnamed(size_t bytes) {
  const Result<std::string> unique = unguessable_name();
  if (!unique) return Failure{unique.error()};
  const std::string name = "/ovenbird-" + *unique;
  Result<SharedMemory> made = create(name, bytes);
  if (made) ::shm_unlink(name.c_str());
  return made;
}

Result<SharedMemory> SharedMemory::open(const std::string& name, Access access) {
  const int mode = access == Access::kRead ? O_RDONLY : O_RDWR;
  FileDescriptor descriptor(::shm_open(name.c_str(), mode | O_NOFOLLOW, 0));
  if (!descriptor) {
    return fail(errno == ENOENT ? Code::kNotFound : Code::kIo,
                "open shared memory " + name + ": " + reason(errno));
  }
  struct stat status {};
  if (::fstat(descriptor.get(), &status) != 0) {
    return fail(Code::kIo, "open shared memory " + name + ": " + reason(errno));
  }
  if (status.st_uid != ::geteuid() || (status.st_mode & 0077) != 0) {
    return fail(Code::kCorrupt,
                "open shared memory " + name + ": it is another user's, or open to others");
  }
  return map(std::move(descriptor), static_cast<size_t>(status.st_size), access);
}

Result<SharedMemory> SharedMemory::map(FileDescriptor descriptor, size_t bytes, Access access) {
  struct stat status {};
  if (::fstat(descriptor.get(), &status) != 0) {
    return fail(Code::kIo, "map shared memory: " + reason(errno));
  }
  if (!S_ISREG(status.st_mode) || bytes == 0 || static_cast<uint64_t>(status.st_size) < bytes) {
    return fail(Code::kCorrupt, "map " + std::to_string(bytes) +
                                    " bytes of shared memory: the object has " +
                                    std::to_string(status.st_size));
  }
  Result<std::span<std::byte>> mapped = map_bytes(descriptor.get(), bytes, access);
  if (!mapped) return Failure{mapped.error()};
  return SharedMemory(std::move(descriptor), *mapped);
}

SharedMemory::~SharedMemory() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

Result<FileDescriptor> SharedMemory::read_only_descriptor() const {
  const std::string path = "/proc/self/fd/" + std::to_string(descriptor_.get());
  FileDescriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!descriptor) return fail(Code::kIo, "open " + path + " to read: " + reason(errno));
  return descriptor;
}

Status SharedMemory::remove(const std::string& name) {
  if (::shm_unlink(name.c_str()) == 0 || errno == ENOENT) return ok();
  return fail(Code::kIo, "remove shared memory " + name + ": " + reason(errno));
}

Result<std::string> unguessable_name() {
  std::array<uint8_t, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return fail(Code::kIo, "get random bytes: " + reason(errno));
  }
  constexpr char kDigits[] = "0123456789abcdef";
  std::string name;
  for (const uint8_t byte : bytes) {
    name += kDigits[byte >> 4];
    name += kDigits[byte & 15];
  }
  return name;
}

}  // namespace ovenbird
