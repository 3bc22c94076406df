// What stands between a machine and a working NPU, in the order in which a person can mend it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "doctor/machine_facts.h"
#include "doctor/self_test.h"

namespace ovenbird {

/// One thing that an NPU needs, and how it stands.
struct Finding {
  enum class State {
    kOk,
    kWarning,  // an NPU works in spite of it, but slower, or with less than it could
    kProblem,  // no NPU works before this is mended
    kUnknown,  // it could not be seen
    kSkipped,  // an earlier problem explains it, or makes it idle
  };
  std::string_view id;  // for programs: "cpu", "pci", "kernel", ...; never changes
  State state = State::kUnknown;
  std::string_view title;  // for people: "PCI device"
  std::string seen;        // one line
  /// In turn; empty: nothing to do. Each is one line that a shell takes: a command, maybe with a
  /// comment behind it, or what a person is to do, as a comment of its own ("# log in again").
  std::vector<std::string> mend;
};

const char* name_of(Finding::State state);  // "ok", "warning", "problem", "unknown", "skipped"

/// The memory of all conversations' caches, which a driver is to import.
struct ArenaNeed {
  uint64_t bytes = uint64_t{512} << 20;
  bool is_assumed = true;  // no bundle was named
};

/// Every finding, whatever they are, in the same order. Looks at nothing but its arguments.
std::vector<Finding> diagnose(const MachineFacts& machine, const SelfTest& self_test,
                              const ArenaNeed& arena);

/// Whether it is worth trying the NPU: a device seems to be there, or a loader is named that stands
/// in for one.
bool is_worth_a_self_test(const MachineFacts& machine);

/// None: nothing that was seen stands in the way.
const Finding* first_problem(const std::vector<Finding>& findings);

}  // namespace ovenbird
