// Rules of the real driver: imports by whole pages, no overlaps, pages that are there.
#include "src/memory.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "src/faults.h"
#include "src/trace.h"

namespace npu_emulator {
namespace {

size_t whole_pages(size_t bytes) { return (bytes + kPageBytes - 1) / kPageBytes * kPageBytes; }

/// Whether madvise can be asked to make pages present. For a mapping without the right permission
/// it answers EINVAL, as a kernel does that does not know the advice: so a good page is tried
/// first.
bool kernel_populates() {
  static const bool known = [] {
    void* page =
        ::mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return false;
    const bool done = ::madvise(page, kPageBytes, MADV_POPULATE_WRITE) == 0;
    ::munmap(page, kPageBytes);
    return done;
  }();
  return known;
}

/// Pins pages as far as a process can: makes them present with the access that the device wants.
bool pages_are_there(void* start, size_t bytes, bool read_only) {
  if (!kernel_populates()) return true;
  return ::madvise(start, bytes, read_only ? MADV_POPULATE_READ : MADV_POPULATE_WRITE) == 0;
}

Json describe(const Allocation& memory) {
  return {{"address", address_text(memory.start)}, {"bytes", memory.bytes}, {"id", memory.id}};
}

ZeResult refuse_import(void* start, size_t bytes, const char* why, ZeResult result) {
  trace("import_refused", {{"address", address_text(start)}, {"bytes", bytes}, {"why", why}});
  return result;
}

}  // namespace

const char* name_of(MemoryKind kind) {
  switch (kind) {
    case MemoryKind::kImported:
      return "imported";
    case MemoryKind::kDescriptor:
      return "descriptor";
    case MemoryKind::kAllocated:
      break;
  }
  return "allocated";
}

DeviceMemory& device_memory() {
  static DeviceMemory& the_memory = *new DeviceMemory;  // outlives every thread
  return the_memory;
}

std::optional<Allocation> DeviceMemory::find_locked(const void* address) const {
  auto next = by_start_.upper_bound(static_cast<const std::byte*>(address));
  if (next == by_start_.begin()) return std::nullopt;
  const Allocation& memory = std::prev(next)->second;
  if (!memory.holds(address, 1)) return std::nullopt;
  return memory;
}

bool DeviceMemory::fits_locked(uint64_t bytes) const {
  const auto& limit = settings().memory_bytes;
  return !limit || (bytes <= *limit && in_use_ <= *limit - bytes);
}

void DeviceMemory::add_locked(std::byte* start, size_t bytes, MemoryKind kind) {
  by_start_[start] = {.start = start, .bytes = bytes, .id = next_id_++, .kind = kind};
  in_use_ += bytes;
}

ZeResult DeviceMemory::allocate(size_t bytes, size_t alignment, bool write_combined,
                                void** address) {
  if (bytes == 0 || bytes > kAllocationBytesMax) return ZeResult::kUnsupportedSize;
  if (alignment != 0 && !std::has_single_bit(alignment)) return ZeResult::kUnsupportedAlignment;
  if (next_fault(Call::kAllocation)) return ZeResult::kOutOfDeviceMemory;
  const size_t size = whole_pages(bytes);
  const std::lock_guard lock(mutex_);
  if (!fits_locked(size)) return ZeResult::kOutOfDeviceMemory;
  void* start = nullptr;
  if (::posix_memalign(&start, std::max(alignment, kPageBytes), size) != 0) {
    return ZeResult::kOutOfHostMemory;
  }
  std::memset(start, 0, size);
  add_locked(static_cast<std::byte*>(start), size, MemoryKind::kAllocated);
  Json members = describe(by_start_.at(static_cast<std::byte*>(start)));
  members["write_combined"] = write_combined;
  trace("allocate", members);
  *address = start;
  return ZeResult::kSuccess;
}

ZeResult DeviceMemory::import(void* start, size_t bytes, bool read_only) {
  if (!settings().imports_memory) {
    return refuse_import(start, bytes, "this driver imports no memory",
                         ZeResult::kUnsupportedFeature);
  }
  if (next_fault(Call::kAllocation)) return ZeResult::kOutOfDeviceMemory;
  const auto at = reinterpret_cast<uintptr_t>(start);
  if (at % kPageBytes != 0 || bytes % kPageBytes != 0 || bytes == 0 || at + bytes < at) {
    return refuse_import(start, bytes, "not whole pages", ZeResult::kInvalidArgument);
  }
  if (!pages_are_there(start, bytes, read_only)) {
    return refuse_import(start, bytes, read_only ? "pages are not readable" : "not writable",
                         ZeResult::kOutOfDeviceMemory);
  }
  auto* first = static_cast<std::byte*>(start);
  const std::lock_guard lock(mutex_);
  const auto next = by_start_.lower_bound(first);
  const bool overlaps =
      find_locked(first) || (next != by_start_.end() && next->second.start < first + bytes);
  if (overlaps) {
    return refuse_import(start, bytes, "overlaps other device memory", ZeResult::kInvalidArgument);
  }
  if (!fits_locked(bytes)) {
    return refuse_import(start, bytes, "the memory limit", ZeResult::kOutOfDeviceMemory);
  }
  add_locked(first, bytes, MemoryKind::kImported);
  Json members = describe(by_start_.at(first));
  members["read_only"] = read_only;
  trace("import", members);
  return ZeResult::kSuccess;
}

ZeResult DeviceMemory::import_descriptor(int fd, size_t bytes, void** address) {
  if (next_fault(Call::kAllocation)) return ZeResult::kOutOfDeviceMemory;
  struct stat facts;
  if (::fstat(fd, &facts) != 0 || static_cast<uint64_t>(facts.st_size) < bytes) {
    return refuse_import(nullptr, bytes, "the descriptor does not hold as much",
                         ZeResult::kInvalidArgument);
  }
  void* start = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (start == MAP_FAILED) {
    return refuse_import(nullptr, bytes, "the descriptor cannot be mapped",
                         ZeResult::kInvalidArgument);
  }
  const std::lock_guard lock(mutex_);
  if (!fits_locked(bytes)) {
    ::munmap(start, bytes);
    return refuse_import(nullptr, bytes, "the memory limit", ZeResult::kOutOfDeviceMemory);
  }
  add_locked(static_cast<std::byte*>(start), bytes, MemoryKind::kDescriptor);
  Json members = describe(by_start_.at(static_cast<std::byte*>(start)));
  members["read_only"] = false;
  trace("import", members);
  *address = start;
  return ZeResult::kSuccess;
}

ZeResult DeviceMemory::free(void* start) {
  const std::lock_guard lock(mutex_);
  const auto found = by_start_.find(static_cast<std::byte*>(start));
  if (found == by_start_.end()) return ZeResult::kInvalidArgument;
  const Allocation memory = found->second;
  by_start_.erase(found);
  in_use_ -= memory.bytes;
  if (memory.kind == MemoryKind::kAllocated) std::free(start);
  if (memory.kind == MemoryKind::kDescriptor) ::munmap(start, memory.bytes);
  Json members = describe(memory);
  members["memory"] = name_of(memory.kind);
  trace("free", members);
  return ZeResult::kSuccess;
}

std::optional<Allocation> DeviceMemory::find(const void* address) const {
  const std::lock_guard lock(mutex_);
  return find_locked(address);
}

bool DeviceMemory::reserve(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (!fits_locked(bytes)) return false;
  in_use_ += bytes;
  return true;
}

void DeviceMemory::give_back(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  in_use_ -= bytes;
}

uint64_t DeviceMemory::bytes_in_use() const {
  const std::lock_guard lock(mutex_);
  return in_use_;
}

}  // namespace npu_emulator
