// Puts findings in order, and lets the first problem explain those that follow from it.
#include "doctor/diagnose.h"

#include <algorithm>

#include "doctor/finding_rules.h"

namespace ovenbird {
namespace {

using State = Finding::State;

bool is_problem(const Finding& finding) { return finding.state == State::kProblem; }

/// `finding`, unless something that it needs is missing already.
Finding unless(const Finding* cause, Finding finding) {
  if (!cause) return finding;
  return with(finding, State::kSkipped, "needs: " + std::string(cause->title));
}

}  // namespace

const char* name_of(State state) {
  switch (state) {
    case State::kOk:
      return "ok";
    case State::kWarning:
      return "warning";
    case State::kProblem:
      return "problem";
    case State::kUnknown:
      return "unknown";
    case State::kSkipped:
      break;
  }
  return "skipped";
}

std::vector<Finding> diagnose(const MachineFacts& machine, const SelfTest& self_test,
                              const ArenaNeed& arena) {
  std::vector<Finding> findings;
  findings.reserve(16);  // so that pointers to them stay good
  const Finding* cause = nullptr;
  const auto add = [&](Finding finding) -> const Finding& {
    findings.push_back(unless(cause, std::move(finding)));
    if (is_problem(findings.back())) cause = &findings.back();
    return findings.back();
  };
  add(cpu_finding(machine));
  add(pci_finding(machine));
  const Finding* const no_hardware = cause;
  add(kernel_finding(machine));
  add(module_finding(machine));
  add(firmware_finding(machine));
  add(node_finding(machine));
  add(permission_finding(machine));
  const Finding* const no_device = cause;

  // Programs can be mended whatever the kernel lacks; without an NPU there is nothing to mend. A
  // loader that was named by hand may stand in for one.
  cause = machine.libraries.loader.is_from_library_path ? nullptr : no_hardware;
  add(loader_finding(machine));
  add(driver_finding(machine));
  const Finding* const no_driver = cause;
  cause = machine.libraries.loader.is_from_library_path ? nullptr : no_hardware;
  add(plugin_finding(machine));
  add(compiler_finding(machine));
  const Finding* const no_plugin = cause;
  cause = machine.libraries.loader.is_from_library_path ? nullptr : no_hardware;
  add(memlock_finding(machine, arena));

  cause = nullptr;
  if (self_test.ending == SelfTest::Ending::kNotRun) {
    cause = no_device ? no_device : no_driver ? no_driver : no_plugin;
  }
  add(self_test_finding(machine, self_test));
  add(import_finding(self_test));
  cause = nullptr;
  add(surroundings_finding(machine));
  return findings;
}

bool is_worth_a_self_test(const MachineFacts& machine) {
  return !machine.accel.nodes.empty() || machine.libraries.loader.is_from_library_path;
}

const Finding* first_problem(const std::vector<Finding>& findings) {
  const auto found = std::find_if(findings.begin(), findings.end(), is_problem);
  return found == findings.end() ? nullptr : &*found;
}

}  // namespace ovenbird
