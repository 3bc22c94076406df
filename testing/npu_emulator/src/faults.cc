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

std::optional<Fault> next_fault(Call call) {
  const uint64_t at = ++g_calls[static_cast<size_t>(call)];
  for (const FaultSpec& spec : settings().faults) {
    if (counted_by(spec.kind) != call || at < spec.first || at > spec.last) continue;
    trace("fault", {{"kind", name_of(spec.kind)}, {"at", at}});
    return Fault{spec.kind, spec.delay};
  }
  return std::nullopt;
}

uint64_t calls(Call call) { return g_calls[static_cast<size_t>(call)]; }

bool is_device_lost() { return g_lost; }
void lose_device() { g_lost = true; }

}  // namespace npu_emulator
