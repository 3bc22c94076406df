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

/// Counts a call and gives its number, from 1.
uint64_t count_call(Call call);

/// The fault that the call of this number is to have, if any: the first in the list. Writes it into
/// the trace.
std::optional<Fault> fault_at(Call call, uint64_t number);

inline std::optional<Fault> next_fault(Call call) { return fault_at(call, count_call(call)); }

/// A lost device stays lost: every later submission, compile and queue fails.
bool is_device_lost();
void lose_device();

}  // namespace npu_emulator
