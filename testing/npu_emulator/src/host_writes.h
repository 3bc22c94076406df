// How many bytes of a graph's inputs the host has changed since the device last looked.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <vector>

#include "src/graph.h"

namespace npu_emulator {

/// Keeps a copy of all memory that graphs have read or written. Costs as much memory again and a
/// comparison for every execution: for traces only. Memory counts as zeros before it is first seen.
class HostWrites {
 public:
  /// Compares the inputs with the copy, and takes them over. Bytes that differ.
  uint64_t look(const Graph& graph, std::span<void* const> addresses);

  /// Takes over what the device has just written: no write of the host's.
  void device_wrote(const Graph& graph, std::span<void* const> addresses);

 private:
  std::byte* copy_of(const void* address, uint64_t bytes);

  std::mutex mutex_;
  struct Copy {
    uint64_t id = 0;  // of the allocation: another one may lie at the same place later
    std::vector<std::byte> bytes;
  };
  std::map<const std::byte*, Copy> copies_;  // by the allocation's start
};

HostWrites& host_writes();

}  // namespace npu_emulator
