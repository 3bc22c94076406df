// Machines on which the NPU is there, and permission, a library, memory or the driver itself stands
// in the way. Method as in hardware_test.cc.
#include <doctest/doctest.h>

#include <algorithm>

#include "doctor/example_machine.h"

namespace ovenbird {
namespace {

using State = Finding::State;
using Ending = SelfTest::Ending;

constexpr const char* kLibraries = "usr/lib/x86_64-linux-gnu/";

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string mends(const Finding& finding) {
  std::string all;
  for (const std::string& command : finding.mend) all += command + "\n";
  return all;
}

/// `id` is the only one that is not ok or skipped; it has `state`, says `seen`, and is mended by
/// `mend`.
void check_only(const std::vector<Finding>& findings, State state, std::string_view id,
                const std::string& seen, const std::string& mend) {
  for (const Finding& finding : findings) {
    INFO(name_of(finding.state) << " " << finding.id << ": " << finding.seen);
    if (finding.id == id) {
      CHECK(finding.state == state);
      CHECK(contains(finding.seen, seen));
      CHECK(contains(mends(finding), mend));
    } else {
      CHECK((finding.state == State::kOk || finding.state == State::kSkipped));
    }
  }
}

void check_only_problem(ExampleMachine& machine, std::string_view id, const std::string& seen,
                        const std::string& mend) {
  machine.self_test = {};
  check_only(machine.findings(), State::kProblem, id, seen, mend);
  CHECK(first_problem(machine.findings())->id == id);
}

TEST_CASE("the user is not in the node's group") {
  ExampleMachine machine;
  machine.log_in({54100});
  machine.write("etc/group", "render:x:" + std::to_string(machine.group_of_node()) + ":bob\n");
  check_only_problem(machine, "permission", "/dev/accel/accel0 has group render, mode 0660",
                     "sudo usermod -aG render $USER");
}

TEST_CASE("the user has joined the group but not logged in again") {
  ExampleMachine machine;
  machine.log_in({54100});
  check_only_problem(machine, "permission", "from the next login on", "newgrp render");
}

TEST_CASE("the node's mode lets nobody in, or its group is root's") {
  ExampleMachine machine;
  machine.set_mode("dev/accel/accel0", 0600);
  check_only_problem(machine, "permission", "mode 0600: its group may not use it",
                     "sudo tee /etc/udev/rules.d/");
  machine.set_mode("dev/accel/accel0", 0640);
  check_only_problem(machine, "permission", "mode 0640", "MODE=\"0660\"");
  machine.set_mode("dev/accel/accel0", 0660);
  machine.log_in({54100});
  machine.write("etc/group", "root:x:" + std::to_string(machine.group_of_node()) + ":\n");
  check_only_problem(machine, "permission", "group root, mode 0660", "GROUP=\"render\"");
}

TEST_CASE("a mode for all, or the right to pass over modes, lets in") {
  ExampleMachine machine;
  machine.log_in({54100});
  machine.set_mode("dev/accel/accel0", 0666);
  CHECK(finding_of(machine.findings(), "permission").state == State::kOk);
  machine.set_mode("dev/accel/accel0", 0600);
  machine.replace("proc/self/status", "CapEff:\t0000000000000000", "CapEff:\t0000000000000002");
  CHECK(finding_of(machine.findings(), "permission").state == State::kOk);
}

TEST_CASE("in a container the group is given from outside") {
  ExampleMachine machine;
  machine.log_in({54100});
  machine.write(".dockerenv", "");
  check_only_problem(machine, "permission", "not in that group",
                     "--group-add " + std::to_string(machine.group_of_node()));
}

TEST_CASE("the loader is missing; each distribution has its own command") {
  for (const auto& [id, command] : {std::pair{"ubuntu", "sudo apt install libze1"},
                                    {"fedora", "sudo dnf install"},
                                    {"arch", "sudo pacman -S"},
                                    {"gentoo", "https://github.com/oneapi-src/level-zero"}}) {
    ExampleMachine machine;
    machine.remove(std::string(kLibraries) + "libze_loader.so.1");
    machine.write("etc/os-release", std::string("ID=") + id + "\n");
    check_only_problem(machine, "loader", "libze_loader.so.1 is not found", command);
  }
}

TEST_CASE("a loader that is found where ld.so.conf says, and a broken link to one") {
  ExampleMachine machine;
  machine.remove(std::string(kLibraries) + "libze_loader.so.1.24.0");  // the link stays
  check_only_problem(machine, "loader", "not found", "libze1");
  machine.write("etc/ld.so.conf.d/intel.conf", "/opt/intel/lib\n");
  machine.write_library("opt/intel/lib/libze_loader.so.1");
  const Finding found = finding_of(machine.findings(), "loader");
  CHECK(found.state == State::kOk);
  CHECK(found.seen == "/opt/intel/lib/libze_loader.so.1, version not known");
}

TEST_CASE("a version comes from the file's name, else from the package") {
  ExampleMachine machine;
  CHECK(contains(finding_of(machine.findings(), "loader").seen, ", 1.24.0"));
  const MachineFacts facts = read_machine_facts(machine.view());
  CHECK(facts.libraries.driver.version == "1.22.0");
  CHECK(facts.libraries.driver_compiler.version == "1.22.0");  // dpkg's word
}

TEST_CASE("the driver is missing") {
  ExampleMachine machine;
  machine.remove(std::string(kLibraries) + "libze_intel_npu.so.1");
  check_only_problem(machine, "driver", "libze_intel_npu.so.1 is not found",
                     "intel-level-zero-npu_*.deb");
}

TEST_CASE("the driver is for another processor, damaged, or no library") {
  const std::string driver = std::string(kLibraries) + "libze_intel_npu.so.1.22.0";
  ExampleMachine machine;
  std::string bytes(64, '\0');
  bytes.replace(0, 6, "\177ELF\1\1");  // 32-bit
  machine.write(driver, bytes);
  check_only_problem(machine, "driver", "for another kind of processor", "intel-level-zero-npu");
  bytes[4] = 2;
  bytes[18] = static_cast<char>(183);  // AArch64
  machine.write(driver, bytes);
  check_only_problem(machine, "driver", "for another kind of processor", "intel-level-zero-npu");
  machine.write(driver, "version https://git-lfs.github.com/spec/v1\n");
  check_only_problem(machine, "driver", "it is no ELF file", "intel-level-zero-npu");
}

TEST_CASE("a driver by its old name, and a loader that knows only that name, are warnings") {
  ExampleMachine old_driver;
  old_driver.remove(std::string(kLibraries) + "libze_intel_npu.so.1");
  old_driver.write_library(std::string(kLibraries) + "libze_intel_vpu.so.1.8.0",
                           std::string(kLibraries) + "libze_intel_vpu.so.1");
  check_only(old_driver.findings(), State::kWarning, "driver", "older than 1.16", "github.com");

  for (const auto& [version, state] : {std::pair{"1.16.1", State::kWarning},
                                       {"1.17.16", State::kWarning},
                                       {"1.17.17", State::kOk},
                                       {"1.18.0", State::kOk},
                                       {"2.0.0", State::kOk}}) {
    ExampleMachine old_loader;
    old_loader.remove(std::string(kLibraries) + "libze_loader.so.1");
    old_loader.write_library(std::string(kLibraries) + "libze_loader.so." + version,
                             std::string(kLibraries) + "libze_loader.so.1");
    check_only(old_loader.findings(), state, "driver", "",
               state == State::kOk ? "" : "ZE_ENABLE_ALT_DRIVERS");
  }
}

TEST_CASE("OpenVINO's NPU plugin is missing, or OpenVINO is not to be found") {
  ExampleMachine machine;
  machine.remove("opt/openvino/libopenvino_intel_npu_plugin.so");
  check_only_problem(machine, "plugin", "there is no ", "make install");
  MachineView view = machine.view();
  view.openvino_directory.clear();
  const std::vector<Finding> findings = diagnose(read_machine_facts(view), {}, {});
  CHECK(finding_of(findings, "plugin").state == State::kUnknown);
  CHECK(contains(mends(finding_of(findings, "plugin")), "OVENBIRD_ENGINE"));
}

TEST_CASE("without a compiler in OpenVINO, the driver's is used: a warning") {
  ExampleMachine machine;
  machine.remove("opt/openvino/libopenvino_intel_npu_compiler.so");
  check_only(machine.findings(), State::kWarning, "compiler", "the driver's is used", "");
  machine.remove(std::string(kLibraries) + "libnpu_driver_compiler.so");
  check_only(machine.findings(), State::kWarning, "compiler", "nor is the driver's found",
             "intel-driver-compiler-npu");
}

TEST_CASE("the memory limit is held against the cache, to the byte") {
  for (const auto& [limit, state] : {std::pair{"47185919", State::kWarning},
                                     {"47185920", State::kOk},
                                     {"0", State::kWarning},
                                     {"unlimited", State::kOk},
                                     {"8388608", State::kWarning}}) {
    ExampleMachine machine;
    machine.write("proc/self/limits", std::string("Max locked memory         ") + limit +
                                          "              8388608              bytes\n");
    check_only(machine.findings(), state, "memlock", "cache is 45.0 MiB",
               state == State::kOk ? "" : "memlock unlimited");
  }
}

TEST_CASE("an assumed cache is called so, and who may lock everything has no limit") {
  ExampleMachine machine;
  machine.arena = {};
  machine.replace("proc/self/limits", "8388608000", "8388608");
  check_only(machine.findings(), State::kWarning, "memlock",
             "the limit is 8.0 MiB; one conversation's cache is 512.0 MiB (assumed",
             "/etc/security/limits.d");
  machine.write(".dockerenv", "");
  CHECK(contains(mends(finding_of(machine.findings(), "memlock")), "--ulimit memlock=-1"));
  machine.replace("proc/self/status", "CapEff:\t0000000000000000", "CapEff:\t0000000000004000");
  CHECK(finding_of(machine.findings(), "memlock").state == State::kOk);
}

TEST_CASE(
    "a loader named by LD_LIBRARY_PATH is told from the system's, and tried without a device") {
  ExampleMachine machine;
  machine.write_library("opt/emulator/libze_loader.so.1");
  machine.library_path = "/nothing:" + (machine.root() / "opt/emulator").string();
  machine.remove_node();
  machine.remove("sys/bus/pci/devices/0000:00:0b.0");
  machine.remove(std::string(kLibraries) + "libze_intel_npu.so.1");
  machine.write("proc/cpuinfo", "vendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\n");
  CHECK(is_worth_a_self_test(read_machine_facts(machine.view())));

  const std::vector<Finding> findings = machine.findings();
  CHECK(first_problem(findings)->id == "cpu");  // there is no NPU, whatever the loader says
  const Finding loader = finding_of(findings, "loader");
  CHECK(loader.state == State::kWarning);
  CHECK(contains(loader.seen, "LD_LIBRARY_PATH names it, and the self-test is about it"));
  CHECK(finding_of(findings, "driver").state == State::kSkipped);
  CHECK(finding_of(findings, "plugin").state == State::kOk);
  CHECK(finding_of(findings, "self_test").state == State::kOk);
  CHECK(finding_of(findings, "import").state == State::kOk);

  machine.self_test = {.ending = Ending::kDied, .detail = "signal 6 (Aborted)"};
  CHECK(contains(mends(finding_of(machine.findings(), "self_test")), "unset LD_LIBRARY_PATH"));
}

TEST_CASE("a self-test that dies, hangs, talks nonsense or is not there") {
  struct Case {
    SelfTest test;
    const char* seen;
    const char* mend;
  };
  const Case cases[] = {{{.ending = Ending::kDied,
                          .detail = "signal 11 (Segmentation fault)",
                          .answer = {.is_listed = true, .failed_step = "compile"}},
                         "the driver ended it: signal 11 (Segmentation fault); at step \"compile\"",
                         "intel-level-zero-npu"},
                        {{.ending = Ending::kTimedOut, .detail = "no answer in 60000 ms"},
                         "it hangs: no answer in 60000 ms",
                         "modprobe -r intel_vpu"},
                        {{.ending = Ending::kNonsense, .detail = "it said \"hello\""},
                         "it said \"hello\"",
                         "the same build"},
                        {{.ending = Ending::kNotStarted, .detail = "/x: No such file"},
                         "/x: No such file",
                         "OVENBIRD_ENGINE"}};
  for (const Case& one : cases) {
    ExampleMachine machine;
    machine.self_test = one.test;
    const std::vector<Finding> findings = machine.findings();
    check_only(findings, State::kProblem, "self_test", one.seen, one.mend);
    CHECK(finding_of(findings, "import").state == State::kSkipped);
  }
}

TEST_CASE("a self-test that fails says at which step, in the driver's words") {
  for (const auto& [step, seen] : {std::pair{"list", "does not list"},
                                   {"describe", "does not describe"},
                                   {"compile", "does not compile: DEVICE_LOST"},
                                   {"run", "does not run: DEVICE_LOST"},
                                   {"compare", "wrong numbers"},
                                   {"import", "do not arrive"},
                                   {"dance", "step \"dance\" fails"}}) {
    ExampleMachine machine;
    machine.self_test.answer = {
        .is_listed = true, .failed_step = step, .error = "DEVICE_LOST", .imports_pages = true};
    check_only(machine.findings(), State::kProblem, "self_test", seen, "github.com");
    CHECK(!machine.self_test.found_usable_npu());
  }
  ExampleMachine machine;
  machine.self_test.answer = {};  // no step failed, but no device was listed either
  check_only(machine.findings(), State::kProblem, "self_test", "does not list", "github.com");
}

TEST_CASE("a driver that imports no pages works, but slower: a warning") {
  ExampleMachine machine;
  machine.self_test.answer.imports_pages = false;
  machine.self_test.answer.import_error = "Importing is not supported";
  check_only(machine.findings(), State::kWarning, "import", "Importing is not supported",
             "Linux 6.19");
  CHECK(machine.self_test.found_usable_npu());
}

}  // namespace
}  // namespace ovenbird
