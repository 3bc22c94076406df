// Faults that the settings ask for, at the call that they name.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>

#include "src/settings.h"

namespace npu_emulator {

/// What is counted, each kind of call by itself.
enum class Call { kExecution, kSubmission, kAllocation, kCompile, kBlobImport };

struct Fault {
  FaultKind kind;
  std::chrono::milliseconds delay;
};

/// Counts a call. Gives the fault that it is to have, if any, and writes it into the trace.
std::optional<Fault> next_fault(Call call);

/// How many calls there have been.
uint64_t calls(Call call);

/// A lost device stays lost: every later submission, compile and queue fails.
bool is_device_lost();
void lose_device();

}  // namespace npu_emulator
