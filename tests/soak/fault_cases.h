// Which faults a soak of faults tries, and when.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ovenbird {

/// A fault of the emulated driver.
struct FaultKind {
  std::string name;     // as NPU_EMULATOR_FAULT has it, with "=MS"
  std::string counted;  // what a call that it may happen at is called in the driver's trace
  std::string before;   // faults that must happen for such calls to be made, with a comma behind
  std::string once_on;  // the device that is used at the end where it happened once
  std::string ever_on;  // ... and where every worker has it; "": it depends
};

/// Every fault that there is (testing/npu_emulator/README.md).
const std::vector<FaultKind>& fault_kinds();

struct FaultCase {
  FaultKind kind;
  uint64_t call = 0;                // at which the first fault happens
  std::vector<std::string> faults;  // of the first worker on the NPU, the second one, ...
  std::string ends_on;              // the device that is used at the end; "": any

  std::string name() const;
};

/// Each of these kinds, happening once to the first worker.
std::vector<FaultCase> once(const std::vector<FaultKind>& kinds, uint64_t call);

/// Each of these kinds from a call on, to every worker: the device is not to be used.
std::vector<FaultCase> for_ever(const std::vector<FaultKind>& kinds, uint64_t call);

/// A fault of the first worker, and each of these kinds while the second one takes over.
std::vector<FaultCase> while_recovering(const std::vector<FaultKind>& kinds, uint64_t call);

}  // namespace ovenbird
