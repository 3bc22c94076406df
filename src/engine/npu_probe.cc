// What doctor finds, in one line.
#include "engine/npu_probe.h"

#include <cstdlib>

#include "doctor/diagnose.h"

namespace ovenbird {

std::string why_no_npu(const std::filesystem::path& root) {
  const char* library_path = std::getenv("LD_LIBRARY_PATH");
  const MachineFacts machine =
      read_machine_facts({.root = root, .library_path = library_path ? library_path : ""});
  const std::vector<Finding> findings = diagnose(machine, {}, {});
  const Finding* problem = first_problem(findings);
  std::string why = "OpenVINO does not list it, though nothing is seen to be missing";
  if (problem && problem->id == "cpu") {
    why = problem->seen;  // nothing mends it
  } else if (problem) {
    why = std::string(problem->title) + ": " + problem->seen;
    if (!problem->mend.empty()) why += "; " + problem->mend.front();
  }
  return why + "; `ovenbird doctor` says more";
}

}  // namespace ovenbird
