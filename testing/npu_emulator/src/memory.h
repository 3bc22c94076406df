// Memory that the device can see: what the driver allocated, and what it imported in place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "abi/level_zero.h"

namespace npu_emulator {

inline constexpr size_t kPageBytes = 4096;
inline constexpr uint64_t kAllocationBytesMax = uint64_t{4}
                                                << 30;  // as the device's properties say

enum class MemoryKind {
  kAllocated,   // the driver's own pages
  kImported,    // the user's pages, where they lie
  kDescriptor,  // mapped from a file descriptor
};

const char* name_of(MemoryKind kind);

struct Allocation {
  std::byte* start = nullptr;
  size_t bytes = 0;
  uint64_t id = 0;  // never 0, never used twice
  MemoryKind kind = MemoryKind::kAllocated;

  bool holds(const void* address, size_t count) const {
    const auto* first = static_cast<const std::byte*>(address);
    return first >= start && count <= bytes && first <= start + (bytes - count);
  }
};

/// Every allocation of the process. Thread-safe; a lookup is a search in a tree.
class DeviceMemory {
 public:
  /// Zeroed pages of the driver's own.
  ZeResult allocate(size_t bytes, size_t alignment, bool write_combined, void** address);

  /// The user's pages, which must be whole, readable, and writable unless `read_only`.
  ZeResult import(void* start, size_t bytes, bool read_only);

  /// `bytes` of what a descriptor stands for, mapped anew.
  ZeResult import_descriptor(int fd, size_t bytes, void** address);

  ZeResult free(void* start);

  /// The allocation that `address` lies in.
  std::optional<Allocation> find(const void* address) const;

  /// Takes part of the memory limit for a compiled graph, or gives it back.
  bool reserve(uint64_t bytes);
  void give_back(uint64_t bytes);
  uint64_t bytes_in_use() const;

 private:
  std::optional<Allocation> find_locked(const void* address) const;
  bool fits_locked(uint64_t bytes) const;
  void add_locked(std::byte* start, size_t bytes, MemoryKind kind);

  mutable std::mutex mutex_;
  std::map<const std::byte*, Allocation> by_start_;
  uint64_t next_id_ = 1;
  uint64_t in_use_ = 0;
};

DeviceMemory& device_memory();

}  // namespace npu_emulator
