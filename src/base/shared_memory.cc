// shm_open, memfd_create, posix_fallocate, mmap.
#include "base/shared_memory.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>

namespace ovenbird {
namespace {

std::string reason(int error) { return std::strerror(error); }

constexpr int kAllSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

// In older kernels a signal undoes what the call it meets has allocated: beside a timer's signals,
// a call for gigabytes would never come to an end. So much takes about a millisecond.
constexpr size_t kSliceBytes = 4u << 20;

constexpr char kFullDirectory[] = "/dev/shm is full: `df -h /dev/shm` says what is free";

Failure no_room(size_t bytes, const std::string& why) {
  return fail(Code::kIo, "allocate " + std::to_string(bytes) + " bytes of shared memory: " + why);
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

/// Bytes that the machine can give without ending a process for it; the most there is, if unknown.
uint64_t available_bytes() {
  std::ifstream facts("/proc/meminfo");
  uint64_t available = 0;
  uint64_t swap = 0;
  for (std::string name, unit; facts >> name;) {
    uint64_t kibibytes = 0;
    if (!(facts >> kibibytes)) break;
    std::getline(facts, unit);
    if (name == "MemAvailable:") available = kibibytes * 1024;
    if (name == "SwapFree:") swap = kibibytes * 1024;
  }
  return available == 0 ? UINT64_MAX : available + swap;
}

/// What is known to end badly is not begun: it would fill what others need before it fails.
Status check_room(int descriptor, size_t bytes) {
  if (bytes == 0) return fail(Code::kInvalidArgument, "allocate shared memory: of 0 bytes");
  // Beyond this limit the kernel would not only refuse but send SIGXFSZ, which kills.
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && bytes > limit.rlim_cur) {
    return no_room(bytes, "this process may make files of " + std::to_string(limit.rlim_cur) +
                              " bytes: raise `ulimit -f`");
  }
  struct statvfs room {};
  const bool is_bounded = ::fstatvfs(descriptor, &room) == 0 && room.f_blocks > 0;
  if (is_bounded && bytes > uint64_t{room.f_bavail} * room.f_frsize) {
    return no_room(bytes, kFullDirectory);
  }
  if (const uint64_t available = available_bytes(); bytes > available) {
    return no_room(bytes, "the machine has " + std::to_string(available) + " available");
  }
  return ok();
}

/// Gives an empty object its size, for real.
Status allocate(int descriptor, size_t bytes) {
  if (Status room = check_room(descriptor, bytes); !room) return room;
  for (size_t begin = 0; begin < bytes;) {
    const size_t slice = std::min(bytes - begin, kSliceBytes);
    const int error =
        ::posix_fallocate(descriptor, static_cast<off_t>(begin), static_cast<off_t>(slice));
    if (error == EINTR) continue;
    if (error != 0) return no_room(bytes, error == ENOSPC ? kFullDirectory : reason(error));
    begin += slice;
  }
  return ok();
}

/// An object without a name that takes seals, of no bytes yet.
Result<FileDescriptor> sealable_object() {
  // Newer kernels may be set up to refuse objects that could be executed, older ones do not know
  // that flag; nor does the C library of Debian 12.
  constexpr unsigned kNeverExecuted = 8;  // MFD_NOEXEC_SEAL
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  FileDescriptor made(::memfd_create("ovenbird", kFlags | kNeverExecuted));
  if (!made && errno == EINVAL) made = FileDescriptor(::memfd_create("ovenbird", kFlags));
  if (!made || ::fchmod(made.get(), 0600) != 0) {
    return fail(Code::kIo, "create shared memory: " + reason(errno));
  }
  return made;
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
  Result<SharedMemory> made = create_sealable(bytes);
  if (!made) return made;
  // Against writing it cannot be sealed: workers that start later map it to write.
  if (::fcntl(made->descriptor_.get(), F_ADD_SEALS, kAllSeals & ~F_SEAL_WRITE) != 0) {
    return fail(Code::kIo, "seal shared memory: " + reason(errno));
  }
  return made;
}

Result<SharedMemory> SharedMemory::create_sealable(size_t bytes) {
  Result<FileDescriptor> made = sealable_object();
  if (!made) return Failure{made.error()};
  if (Status room = allocate(made->get(), bytes); !room) return Failure{room.error()};
  return map(std::move(*made), bytes, Access::kReadWrite);
}

Result<SharedMemory> SharedMemory::open(const std::string& name, Access access) {
  // A pipe of that name, of whoever may write to /dev/shm, is not waited for.
  const int mode = (access == Access::kRead ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_NOFOLLOW;
  FileDescriptor descriptor(::shm_open(name.c_str(), mode, 0));
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

Result<SharedMemory> SharedMemory::map_sealed(FileDescriptor descriptor, size_t bytes_max) {
  const int seals = ::fcntl(descriptor.get(), F_GET_SEALS);
  constexpr int kWanted = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  if (seals < 0 || (seals & kWanted) != kWanted) {
    return fail(Code::kCorrupt,
                "map memory of a peer: it is not sealed against writing, shrinking and growing");
  }
  struct stat status {};
  struct statfs system {};
  if (::fstat(descriptor.get(), &status) != 0 || ::fstatfs(descriptor.get(), &system) != 0) {
    return fail(Code::kIo, "map memory of a peer: " + reason(errno));
  }
  // Huge pages can be sealed too, but may turn out to be missing when they are read.
  if (system.f_type != TMPFS_MAGIC) {
    return fail(Code::kCorrupt, "map memory of a peer: it is not of ordinary pages");
  }
  const auto bytes = static_cast<uint64_t>(status.st_size);
  if (bytes == 0 || bytes > bytes_max) {
    return fail(Code::kCorrupt, "map memory of a peer: it has " + std::to_string(bytes) +
                                    " bytes and may have 1 to " + std::to_string(bytes_max));
  }
  constexpr uint64_t kBlockBytes = 512;  // what st_blocks counts
  if (static_cast<uint64_t>(status.st_blocks) * kBlockBytes < bytes) {
    return fail(Code::kCorrupt, "map memory of a peer: it has holes");
  }
  return map(std::move(descriptor), bytes, Access::kRead);
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

Result<FileDescriptor> SharedMemory::seal(SharedMemory memory) {
  FileDescriptor descriptor = std::move(memory.descriptor_);
  { const SharedMemory unmapped = std::move(memory); }
  if (::fcntl(descriptor.get(), F_ADD_SEALS, kAllSeals) != 0) {
    return fail(Code::kIo, "seal shared memory: " + reason(errno));
  }
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
