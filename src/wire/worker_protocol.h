// Messages between the supervisor and a worker, over the socket that the worker finds at
// kWorkerSocket when it starts.
#pragma once

#include <array>
#include <cstdint>

#include "wire/record.h"

namespace ovenbird::wire {

inline constexpr int kWorkerSocket = 3;  // descriptors of a process that begins
inline constexpr int kWorkerArena = 4;

// clang-format off
enum class WorkerMessage : uint32_t {
  // The supervisor says.       body          descriptors
  kActivate = 1,             // -             -               the arena is yours now
  kAttach = 2,               // Attach        the record; perhaps a socket to give notice by
  kTurn = 4,                 // Slot          -               look at the record

  // The worker says.           body          tail
  kReady = 101,              // Ready         -               graphs are compiled
  kNote = 102,               // -             text            for whoever watches
  kTurnDone = 103,           // Slot          -
  kFailed = 104,             // Failed        text            and ends
};
// clang-format on

struct Attach {
  uint32_t slot = 0;
  uint32_t is_written = 0;  // 1: the supervisor has put rows and a header into the slot
  uint64_t record_bytes = 0;
};
static_assert(sizeof(Attach) == 16);

struct Slot {
  uint32_t slot = 0;
  uint32_t padding = 0;
};
static_assert(sizeof(Slot) == 8);

struct Ready {
  std::array<char, 16> device{};
  std::array<char, 16> recipe{};
};
static_assert(sizeof(Ready) == 32);

struct Failed {
  uint32_t code = 0;  // ovenbird::Code
  uint32_t slot = 0;  // that was stepped; kNoSlot
};
static_assert(sizeof(Failed) == 8);

}  // namespace ovenbird::wire
