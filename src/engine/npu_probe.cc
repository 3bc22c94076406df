// What doctor finds, in one line.
#include "engine/npu_probe.h"

#include <cstdlib>
#include <system_error>

#include "doctor/diagnose.h"
#include "doctor/library_search.h"

namespace ovenbird {

std::string why_no_npu(const std::filesystem::path& root) {
  const char* library_path = std::getenv("LD_LIBRARY_PATH");
  MachineView view{.root = root, .library_path = library_path ? library_path : ""};
  std::error_code error;  // an empty path then: it is not known which OpenVINO this is
  view.openvino_directory =
      find_openvino_of(std::filesystem::read_symlink("/proc/self/exe", error), view);
  const MachineFacts machine = read_machine_facts(view);
  const std::vector<Finding> findings = diagnose(machine, {}, {});
  const Finding* problem = first_problem(findings);
  std::string why = "OpenVINO does not list it, though nothing is seen to be missing";
  if (problem && problem->id == "cpu") {
    why = problem->seen;  // nothing mends it
  } else if (problem) {
    why = std::string(problem->title) + ": " + problem->seen;
    if (!problem->mend.empty()) {
      const std::string& mend = problem->mend.front();
      why += "; " + (mend.starts_with("# ") ? mend.substr(2) : mend);
    }
  }
  return why + "; `ovenbird doctor` says more";
}

}  // namespace ovenbird
