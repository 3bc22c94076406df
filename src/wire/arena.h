// Shared bytes: the arena, one for each supervisor and bundle. Keys and values of all slots, and
// what a supervisor that is started again must know.
//
//   page 0          ArenaHeader
//   workers         WorkerStatus [kWorkersMax], 64 bytes apart ... whole pages
//   sessions        SessionEntry [sessions_max]
//   slot headers    a page each [slots]
//   scratch         room for one head of one tensor: the journal of a move of rows
//   slots           [slots] of [2 * layers] tensors [kv_heads, rows, head_dim], whole pages
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "ovenbird/result.hpp"
#include "wire/slot_header.h"
#include "wire/version.h"

namespace ovenbird::wire {

inline constexpr uint64_t kArenaMagic = 0x616e'6572'6120'626f;  // "ob arena"
inline constexpr size_t kSlotHeaderBytes = 4096;
inline constexpr uint32_t kWorkersMax = 4;  // active, standby, and their successors
inline constexpr uint32_t kNoSlot = 0xffff'ffff;
inline constexpr size_t kDigestBytes = 32;
inline constexpr size_t kPathBytesMax = 4096;

using Digest = std::array<std::byte, kDigestBytes>;  // SHA-256

/// What a worker is doing, for whoever watches it.
enum class Phase : uint32_t {
  kStarting = 0,  // loads, compiles, warms up
  kIdle = 1,
  kBinding = 2,  // a step waits for a graph to be compiled, or binds memory
  kStepping = 3,
};

/// Written by one worker, read by the supervisor.
struct alignas(64) WorkerStatus {
  std::atomic<uint64_t> phase_since_ns;   // steady clock
  std::atomic<uint64_t> steps;            // done, since the process began
  std::atomic<uint64_t> slowest_step_ns;  // of those like the one under way; 0: it is the first
  std::atomic<uint64_t> step_ns;          // of all steps together
  std::atomic<uint64_t> said_tokens;
  std::atomic<uint32_t> phase;              // a Phase
  std::atomic<uint32_t> slot;               // the one that is stepped; kNoSlot
  std::atomic<uint64_t> slowest_of_all_ns;  // the slowest step of any kind
};
static_assert(sizeof(WorkerStatus) == 64);

/// A session, so that a supervisor that is started again finds it. Written by the supervisor.
struct alignas(64) SessionEntry {
  std::atomic<uint64_t> session;  // its number; 0: the entry is free. Stored last, cleared first
  uint64_t key;                   // whoever knows it may claim the session
  uint64_t record_bytes;
  std::atomic<uint32_t> slot;  // kNoSlot: none
  uint32_t wants_notice;       // a descriptor to poll was asked for
};
static_assert(sizeof(SessionEntry) == 64);

struct ArenaHeader {
  uint64_t magic;
  uint32_t version;  // kWireVersion
  uint32_t slots;
  uint32_t sessions_max;
  uint32_t rows;     // of each head of each tensor of a slot; 0: no cache (plan "window")
  uint32_t tensors;  // 2 * layers; 0: no cache
  uint32_t unused;
  uint64_t tensor_bytes;
  uint64_t scratch_bytes;
  uint64_t total_bytes;
  Digest model;                                     // of the bundle's manifest
  std::array<char, kPathBytesMax - 128> lock_path;  // of the file that names this arena; or empty
};
static_assert(offsetof(ArenaHeader, model) == 56);
static_assert(sizeof(ArenaHeader) <= 4096);

/// The sizes that say where everything lies.
struct ArenaShape {
  uint32_t slots = 1;
  uint32_t sessions_max = 1;
  uint32_t rows = 0;
  uint32_t tensors = 0;
  uint64_t tensor_bytes = 0;   // kv_heads * rows * head_dim * bytes of a number
  uint64_t scratch_bytes = 0;  // rows * head_dim * bytes of a number
  Digest model{};
  std::string lock_path;

  bool operator==(const ArenaShape&) const = default;
};

/// A mapped arena whose header has been checked once. Does not own the mapping.
class Arena {
 public:
  static size_t bytes_for(const ArenaShape& shape);

  /// Makes an arena of zeroed memory of bytes_for() bytes.
  static Arena create(std::span<std::byte> memory, const ArenaShape& shape);

  /// Errors: kCorrupt (naming the field), kUnsupported (another version).
  static Result<Arena> open(std::span<std::byte> memory);

  const ArenaShape& shape() const { return shape_; }

  WorkerStatus& worker(uint32_t index) const;   // < kWorkersMax
  SessionEntry& session(uint32_t index) const;  // < sessions_max
  SlotHeader& slot_header(uint32_t slot) const;
  std::span<std::byte> slot_pages(uint32_t slot) const;  // whole pages; empty without a cache
  std::span<std::byte> scratch() const;                  // whole pages

 private:
  Arena(std::span<std::byte> memory, const ArenaShape& shape);

  ArenaShape shape_;
  std::span<std::byte> memory_;
};

}  // namespace ovenbird::wire
