// A whole file, mapped read-only, over POSIX mmap.
#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/file_descriptor.h"

namespace ovenbird {

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a pipe must not wait for its writer.
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) {
    return fail(errno == ENOENT ? Code::kNotFound : Code::kIo,
                "open " + path.string() + ": " + std::strerror(errno));
  }
  struct stat facts;
  if (::fstat(file.get(), &facts) != 0) {
    return fail(Code::kIo, "stat " + path.string() + ": " + std::strerror(errno));
  }
  if (!S_ISREG(facts.st_mode)) {
    return fail(Code::kIo, "open " + path.string() + ": not a regular file");
  }
  const auto size = static_cast<size_t>(facts.st_size);
  if (size == 0) return MappedFile({});
  void* start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (start == MAP_FAILED) {
    return fail(Code::kIo, "map " + path.string() + ": " + std::strerror(errno));
  }
  return MappedFile({static_cast<const std::byte*>(start), size});
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void MappedFile::release(std::span<const std::byte> part) const {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto first = (reinterpret_cast<uintptr_t>(part.data()) + page - 1) / page * page;
  const auto last = reinterpret_cast<uintptr_t>(part.data() + part.size()) / page * page;
  // Advice only: failing changes nothing but memory use.
  if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace ovenbird
