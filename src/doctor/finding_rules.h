// The rules behind diagnose.h, one for each finding, in two files: what the machine and its kernel
// need, and what programs need.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "doctor/diagnose.h"

namespace ovenbird {

// Of the machine and its kernel.
Finding cpu_finding(const MachineFacts& machine);
Finding pci_finding(const MachineFacts& machine);
Finding kernel_finding(const MachineFacts& machine);
Finding module_finding(const MachineFacts& machine);
Finding firmware_finding(const MachineFacts& machine);
Finding node_finding(const MachineFacts& machine);
Finding permission_finding(const MachineFacts& machine);
Finding surroundings_finding(const MachineFacts& machine);

// Of programs.
Finding loader_finding(const MachineFacts& machine);
Finding driver_finding(const MachineFacts& machine);
Finding plugin_finding(const MachineFacts& machine);
Finding compiler_finding(const MachineFacts& machine);
Finding memlock_finding(const MachineFacts& machine, const ArenaNeed& arena);
Finding self_test_finding(const MachineFacts& machine, const SelfTest& self_test);
Finding import_finding(const SelfTest& self_test);

/// `finding` with what was seen, and how to mend it.
inline Finding with(Finding finding, Finding::State state, std::string seen,
                    std::vector<std::string> mend = {}) {
  finding.state = state;
  finding.seen = std::move(seen);
  finding.mend = std::move(mend);
  return finding;
}

/// What is to be done about the kernel is done on the host only, and says so.
std::string on_host(const MachineFacts& machine, std::string_view mend);

/// A name from outside as one word of a shell command, whatever is in it.
std::string shell_word(std::string_view name);

/// Where Intel publishes driver, compiler and firmware; commands that install them follow.
inline constexpr std::string_view kDriverPackages =
    "# get the packages of https://github.com/intel/linux-npu-driver/releases";

/// Loads the kernel's module anew.
inline constexpr std::string_view kReloadModule =
    "sudo modprobe -r intel_vpu && sudo modprobe intel_vpu";

}  // namespace ovenbird
