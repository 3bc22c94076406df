// What programs need for an NPU: libraries, memory, and a driver that works when it is tried.
#include <cstdio>

#include "base/message_text.h"
#include "doctor/finding_rules.h"
#include "doctor/text_parts.h"

namespace ovenbird {
namespace {

using State = Finding::State;
using Ending = SelfTest::Ending;

constexpr const char* kInstallDriver =
    "sudo apt install ./intel-level-zero-npu_*.deb ./intel-driver-compiler-npu_*.deb";
constexpr std::string_view kFindEngine =
    "# install ovenbird-engine beside ovenbird, or name it in OVENBIRD_ENGINE";

std::vector<std::string> install_driver() { return {std::string(kDriverPackages), kInstallDriver}; }

/// Whose fault it is if the self-test fails.
std::vector<std::string> mend_driver(const MachineFacts& machine) {
  if (!machine.libraries.loader.is_from_library_path) return install_driver();
  return {"unset LD_LIBRARY_PATH # or mend the loader that it names"};
}

std::string library_text(const LibraryFacts& library) {
  return printable(library.path) +
         (library.version.empty() ? ", version not known" : ", " + printable(library.version));
}

std::string install_loader(Distribution distribution) {
  switch (distribution) {
    case Distribution::kDebian:
      return "sudo apt install libze1";
    case Distribution::kFedora:
      return "sudo dnf install oneapi-level-zero";
    case Distribution::kArch:
      return "sudo pacman -S level-zero-loader";
    case Distribution::kOther:
      break;
  }
  return "# install https://github.com/oneapi-src/level-zero/releases";
}

std::string mib_text(uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
  return text;
}

/// Loaders before 1.17.17 look for the driver under its old name only.
bool is_before_new_name(const std::string& version) {
  const std::vector<std::string_view> numbers = words_of(version, ".-+~");
  constexpr int64_t kFirst[] = {1, 17, 17};
  for (size_t index = 0; index < 3 && index < numbers.size(); ++index) {
    const int64_t number = number_in(numbers[index]);
    if (number < 0 || number > kFirst[index]) return false;
    if (number < kFirst[index]) return true;
  }
  return false;
}

/// "OpenVINO does not list the NPU": what did not work.
std::string failure_of(const std::string& step) {
  if (step == "list") return "OpenVINO does not list the NPU";
  if (step == "describe") return "the driver does not describe the NPU";
  if (step == "compile") return "a graph of two operations does not compile";
  if (step == "run") return "a graph of two operations does not run";
  if (step == "compare") return "it computes wrong numbers";
  if (step == "import") return "pages are imported, but results do not arrive in them";
  return "step " + in_quotes(step) + " fails";
}

/// `self_test.detail`, and where it was.
std::string ending_text(const SelfTest& self_test) {
  const std::string& step = self_test.answer.failed_step;
  return one_line(self_test.detail) + (step.empty() ? "" : "; at step " + in_quotes(step));
}

std::string with_reason(const std::string& what, const std::string& reason) {
  return reason.empty() ? what : what + ": " + one_line(reason);
}

}  // namespace

Finding loader_finding(const MachineFacts& machine) {
  const Finding finding{.id = "loader", .title = "Level Zero loader"};
  const LibraryFacts& loader = machine.libraries.loader;
  if (loader.path.empty()) {
    return with(finding, State::kProblem, "libze_loader.so.1 is not found",
                {install_loader(machine.surroundings.distribution)});
  }
  if (!loader.fault.empty()) {
    return with(finding, State::kProblem, printable(loader.path) + ": " + loader.fault,
                {loader.is_from_library_path ? "unset LD_LIBRARY_PATH"
                                             : install_loader(machine.surroundings.distribution)});
  }
  if (loader.is_from_library_path) {
    return with(finding, State::kWarning,
                printable(loader.path) +
                    " is not the system's: LD_LIBRARY_PATH names it, and the self-test is about it",
                {"unset LD_LIBRARY_PATH # to examine the system's own"});
  }
  return with(finding, State::kOk, library_text(loader));
}

Finding driver_finding(const MachineFacts& machine) {
  const Finding finding{.id = "driver", .title = "NPU driver"};
  const LibraryFacts& loader = machine.libraries.loader;
  const LibraryFacts& driver = machine.libraries.driver;
  if (driver.path.empty() && loader.is_from_library_path) {
    return with(finding, State::kSkipped, "the loader of LD_LIBRARY_PATH may need none");
  }
  if (driver.path.empty()) {
    return with(finding, State::kProblem, "libze_intel_npu.so.1 is not found", install_driver());
  }
  if (!driver.fault.empty()) {
    return with(finding, State::kProblem, printable(driver.path) + ": " + driver.fault,
                install_driver());
  }
  if (machine.libraries.driver_has_old_name) {
    return with(finding, State::kWarning, library_text(driver) + ", is older than 1.16",
                install_driver());
  }
  if (is_before_new_name(loader.version)) {
    return with(finding, State::kWarning,
                library_text(driver) + "; loader " + printable(loader.version) +
                    " does not look for it by itself",
                {"export ZE_ENABLE_ALT_DRIVERS=libze_intel_npu.so.1"});
  }
  return with(finding, State::kOk, library_text(driver));
}

Finding plugin_finding(const MachineFacts& machine) {
  const Finding finding{.id = "plugin", .title = "OpenVINO plugin"};
  const OpenVinoFacts& openvino = machine.openvino;
  if (openvino.directory.empty()) {
    return with(finding, State::kUnknown, "which OpenVINO ovenbird-engine uses is not seen",
                {std::string(kFindEngine)});
  }
  const std::string directory = one_line(openvino.directory);
  if (openvino.has_plugin) return with(finding, State::kOk, directory);
  return with(finding, State::kProblem,
              "there is no libopenvino_intel_npu_plugin.so in " + directory,
              {"make setup # in a checkout, or make install: both bring all of OpenVINO"});
}

Finding compiler_finding(const MachineFacts& machine) {
  const Finding finding{.id = "compiler", .title = "NPU compiler"};
  const LibraryFacts& compiler = machine.libraries.driver_compiler;
  if (machine.openvino.directory.empty()) {
    return with(finding, State::kUnknown, "which OpenVINO ovenbird-engine uses is not seen");
  }
  if (machine.openvino.has_compiler) {
    return with(finding, State::kOk, "OpenVINO's own, beside its plugin");
  }
  const std::string missing = "OpenVINO has none (libopenvino_intel_npu_compiler.so); ";
  if (!compiler.path.empty() && compiler.fault.empty()) {
    return with(finding, State::kWarning,
                missing + "the driver's is used: " + library_text(compiler));
  }
  if (machine.libraries.loader.is_from_library_path) {
    return with(finding, State::kWarning, missing + "the driver's is used, if it has one");
  }
  return with(finding, State::kWarning,
              missing + "nor is the driver's found, libnpu_driver_compiler.so",
              {std::string(kDriverPackages), "sudo dpkg -i intel-driver-compiler-npu_*.deb"});
}

Finding memlock_finding(const MachineFacts& machine, const ArenaNeed& arena) {
  const Finding finding{.id = "memlock", .title = "locked memory"};
  const MemlockFacts& memlock = machine.memlock;
  const std::string need = "one conversation's cache is " + mib_text(arena.bytes) +
                           (arena.is_assumed ? " (assumed: no bundle was named)" : "");
  if (machine.user.may_lock_all)
    return with(finding, State::kOk, "no limit for this user; " + need);
  if (memlock.reading != Reading::kRead) {
    return with(finding, State::kUnknown,
                std::string("/proc/self/limits: ") + words_for(memlock.reading));
  }
  if (!memlock.bytes) return with(finding, State::kOk, "no limit; " + need);
  const std::string limit = "the limit is " + mib_text(*memlock.bytes) + "; " + need;
  if (*memlock.bytes >= arena.bytes) return with(finding, State::kOk, limit);
  // The kernel's driver pins imported pages. Whether it counts them differs by version.
  return with(finding, State::kWarning, limit + ": the driver may refuse to import it",
              {machine.surroundings.container.empty()
                   ? "echo '* - memlock unlimited' | sudo tee /etc/security/limits.d/60-npu.conf"
                   : "# start it with: docker run --ulimit memlock=-1"});
}

Finding self_test_finding(const MachineFacts& machine, const SelfTest& self_test) {
  const Finding finding{.id = "self_test", .title = "self-test"};
  std::vector<std::string> mend;
  switch (self_test.ending) {
    case Ending::kNotRun:
      return with(finding, State::kUnknown, "it was not run");
    case Ending::kNotStarted:
      return with(finding, State::kProblem, "it cannot be started: " + one_line(self_test.detail),
                  {std::string(kFindEngine)});
    case Ending::kDied:
      return with(finding, State::kProblem, "the driver ended it: " + ending_text(self_test),
                  mend_driver(machine));
    case Ending::kTimedOut:
      mend = mend_driver(machine);
      if (!machine.libraries.loader.is_from_library_path) {
        mend.push_back(on_host(machine, kReloadModule));
      }
      return with(finding, State::kProblem, "it hangs: " + ending_text(self_test), mend);
    case Ending::kNonsense:
      return with(finding, State::kProblem, "it talks nonsense: " + one_line(self_test.detail),
                  {"# take ovenbird and ovenbird-engine from the same build"});
    case Ending::kAnswered:
      break;
  }
  const NpuAnswer& answer = self_test.answer;
  if (!self_test.found_usable_npu()) {
    const std::string step = answer.is_listed ? answer.failed_step : "list";
    return with(finding, State::kProblem, with_reason(failure_of(step), answer.error),
                mend_driver(machine));
  }
  return with(finding, State::kOk,
              "it computes: " + printable(answer.name) + ", platform " +
                  printable(answer.architecture) + ", driver " + printable(answer.driver));
}

Finding import_finding(const SelfTest& self_test) {
  const Finding finding{.id = "import", .title = "page import"};
  if (!self_test.found_usable_npu()) return with(finding, State::kUnknown, "it was not tried");
  if (self_test.answer.imports_pages) {
    return with(finding, State::kOk, "the NPU read and wrote a page of ours in place");
  }
  return with(finding, State::kWarning,
              with_reason("memory is copied at every step", self_test.answer.import_error),
              {"# take Linux 6.19 or newer, and the driver of today", std::string(kDriverPackages),
               kInstallDriver});
}

}  // namespace ovenbird
