// Counting calls.
#include "src/faults.h"

#include <array>

#include "src/trace.h"

namespace npu_emulator {
namespace {

std::array<std::atomic<uint64_t>, 5> g_calls;
std::atomic<bool> g_lost = false;

Call counted_by(FaultKind kind) {
  switch (kind) {
    case FaultKind::kSubmitFailure:
      return Call::kSubmission;
    case FaultKind::kAllocationOutOfMemory:
      return Call::kAllocation;
    case FaultKind::kCompileFailure:
    case FaultKind::kCompileOutOfMemory:
      return Call::kCompile;
    case FaultKind::kForeignBlob:
      return Call::kBlobImport;
    default:
      return Call::kExecution;
  }
}

}  // namespace

uint64_t count_call(Call call) { return ++g_calls[static_cast<size_t>(call)]; }

std::optional<Fault> fault_at(Call call, uint64_t number) {
  for (const FaultSpec& spec : settings().faults) {
    if (counted_by(spec.kind) != call || number < spec.first || number > spec.last) continue;
    trace("fault", {{"kind", name_of(spec.kind)}, {"at", number}});
    return Fault{spec.kind, spec.delay};
  }
  return std::nullopt;
}

bool is_device_lost() { return g_lost; }
void lose_device() { g_lost = true; }

}  // namespace npu_emulator
