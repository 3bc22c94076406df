// Comparing byte by byte.
#include "src/host_writes.h"

#include <cstring>

#include "src/memory.h"

namespace npu_emulator {

HostWrites& host_writes() {
  static HostWrites& the_writes = *new HostWrites;  // outlives every thread
  return the_writes;
}

/// Where the copy of `bytes` at `address` lies; nullptr if they are not the device's memory.
std::byte* HostWrites::copy_of(const void* address, uint64_t bytes) {
  const auto memory = device_memory().find(address);
  if (!memory || !memory->holds(address, bytes)) return nullptr;
  Copy& copy = copies_[memory->start];
  if (copy.id != memory->id) {
    copy = {.id = memory->id, .bytes = std::vector<std::byte>(memory->bytes)};
  }
  return copy.bytes.data() + (static_cast<const std::byte*>(address) - memory->start);
}

uint64_t HostWrites::look(const Graph& graph, std::span<void* const> addresses) {
  const std::lock_guard lock(mutex_);
  uint64_t changed = 0;
  for (size_t index = 0; index < addresses.size(); ++index) {
    const Argument& argument = graph.arguments()[index];
    std::byte* copy = argument.is_input ? copy_of(addresses[index], argument.bytes) : nullptr;
    if (!copy || std::memcmp(copy, addresses[index], argument.bytes) == 0) continue;
    const auto* now = static_cast<const std::byte*>(addresses[index]);
    for (uint64_t at = 0; at < argument.bytes; ++at) changed += now[at] != copy[at];
    std::memcpy(copy, now, argument.bytes);
  }
  return changed;
}

void HostWrites::device_wrote(const Graph& graph, std::span<void* const> addresses) {
  const std::lock_guard lock(mutex_);
  for (size_t index = 0; index < addresses.size(); ++index) {
    const Argument& argument = graph.arguments()[index];
    std::byte* copy = argument.is_input ? nullptr : copy_of(addresses[index], argument.bytes);
    if (copy) std::memcpy(copy, addresses[index], argument.bytes);
  }
}

}  // namespace npu_emulator
