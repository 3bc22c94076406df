// Machines whose processor, device, kernel or firmware stands in the way of the NPU. Method: a
// whole machine with one thing broken; doctor names that thing first, says how to mend it, and what
// follows from it is no second problem.
#include <doctest/doctest.h>

#include <algorithm>

#include "doctor/example_machine.h"

namespace ovenbird {
namespace {

using State = Finding::State;

size_t count(const std::vector<Finding>& findings, State state) {
  return static_cast<size_t>(std::count_if(findings.begin(), findings.end(),
                                           [&](const auto& one) { return one.state == state; }));
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string mends(const Finding& finding) {
  std::string all;
  for (const std::string& command : finding.mend) all += command + "\n";
  return all;
}

/// `id` is the only problem, it says `seen`, and `mend` is among its commands.
void check_only_problem(ExampleMachine& machine, std::string_view id, const std::string& seen,
                        const std::string& mend) {
  machine.self_test = {};  // it cannot have been run, or not with success
  const std::vector<Finding> findings = machine.findings();
  const Finding* problem = first_problem(findings);
  REQUIRE(problem != nullptr);
  INFO(problem->id << ": " << problem->seen << "\n" << mends(*problem));
  CHECK(problem->id == id);
  CHECK(contains(problem->seen, seen));
  CHECK(contains(mends(*problem), mend));
  CHECK(count(findings, State::kProblem) == 1);
  CHECK(finding_of(findings, "self_test").state == State::kSkipped);
}

/// No NPU at all: every finding behind `id` is skipped, but what the machine runs in.
void check_rest_is_skipped(const ExampleMachine& machine, std::string_view id) {
  bool is_behind = false;
  for (const Finding& finding : machine.findings()) {
    if (is_behind && finding.id != "surroundings") CHECK(finding.state == State::kSkipped);
    if (finding.id == id) is_behind = true;
  }
}

void use_processor(ExampleMachine& machine, const std::string& vendor, int family, int model,
                   const std::string& name) {
  machine.write("proc/cpuinfo", "processor\t: 0\nvendor_id\t: " + vendor +
                                    "\ncpu family\t: " + std::to_string(family) + "\nmodel\t\t: " +
                                    std::to_string(model) + "\nmodel name\t: " + name + "\n");
}

void remove_npu(ExampleMachine& machine) {
  machine.remove("sys/bus/pci/devices/0000:00:0b.0");
  machine.remove_node();
}

TEST_CASE("a whole machine: every finding is ok and nothing is to be mended") {
  const ExampleMachine machine;
  const std::vector<Finding> findings = machine.findings();
  CHECK(findings.size() == 15);
  for (const Finding& finding : findings) {
    INFO(finding.id << ": " << finding.seen);
    CHECK(finding.state == State::kOk);
    CHECK(finding.mend.empty());
    CHECK(!finding.seen.empty());
  }
  CHECK(first_problem(findings) == nullptr);
  CHECK(is_worth_a_self_test(read_machine_facts(machine.view())));
}

TEST_CASE("a CPU of AMD's: no NPU of Intel's, and nothing else to talk about") {
  ExampleMachine machine;
  remove_npu(machine);
  use_processor(machine, "AuthenticAMD", 26, 68, "AMD Ryzen AI 9 HX 370");
  check_only_problem(machine, "cpu", "AMD Ryzen AI 9 HX 370: this CPU has no Intel NPU",
                     "--device CPU");
  check_rest_is_skipped(machine, "cpu");
}

TEST_CASE("the node of another maker's accelerator is not taken for an NPU") {
  ExampleMachine machine;
  machine.remove("sys/bus/pci/devices/0000:00:0b.0");
  use_processor(machine, "AuthenticAMD", 26, 68, "AMD Ryzen AI 9 HX 370");
  machine.write("sys/class/accel/accel0/device/uevent", "DRIVER=amdxdna\nPCI_ID=1022:17F0\n");
  check_only_problem(machine, "cpu", "this CPU has no Intel NPU", "Core Ultra");
  CHECK(!is_worth_a_self_test(read_machine_facts(machine.view())));
}

TEST_CASE("an old CPU of Intel's: no NPU") {
  ExampleMachine machine;
  remove_npu(machine);
  use_processor(machine, "GenuineIntel", 6, 142, "Intel(R) Core(TM) i7-8650U CPU @ 1.90GHz");
  check_only_problem(machine, "cpu", "this CPU has no NPU", "--device CPU");
  check_rest_is_skipped(machine, "cpu");
}

TEST_CASE("every processor that has an NPU is known by its number") {
  struct Known {
    int family, model;
    const char* name;
  };
  for (const Known& known :
       {Known{6, 0xaa, "Meteor Lake"}, Known{6, 0xac, "Meteor Lake"}, Known{6, 0xb5, "Arrow Lake"},
        Known{6, 0xc5, "Arrow Lake"}, Known{6, 0xc6, "Arrow Lake"}, Known{6, 0xbd, "Lunar Lake"},
        Known{6, 0xcc, "Panther Lake"}, Known{6, 0xd5, "Wildcat Lake"}, Known{18, 1, "Nova Lake"},
        Known{18, 3, "Nova Lake"}}) {
    ExampleMachine machine;
    remove_npu(machine);
    use_processor(machine, "GenuineIntel", known.family, known.model, "Genuine Intel(R) 0000");
    const std::vector<Finding> findings = machine.findings();
    CHECK(finding_of(findings, "cpu").state == State::kOk);
    CHECK(contains(finding_of(findings, "cpu").seen, known.name));
    CHECK(first_problem(findings)->id == "pci");
  }
}

TEST_CASE("the NPU is switched off in the firmware set-up") {
  ExampleMachine machine;
  remove_npu(machine);
  check_only_problem(machine, "pci", "none that is an NPU", "firmware set-up (BIOS)");
  check_rest_is_skipped(machine, "pci");
}

TEST_CASE("a virtual machine is not given the NPU") {
  ExampleMachine machine;
  remove_npu(machine);
  machine.replace("proc/cpuinfo", "fpu vme", "fpu hypervisor vme");
  check_only_problem(machine, "pci", "in this virtual machine", "pass the NPU");
  check_rest_is_skipped(machine, "pci");
}

TEST_CASE("WSL hands on no NPU") {
  ExampleMachine machine;
  remove_npu(machine);
  machine.replace("proc/version", "6.11.0-26-generic", "5.15.153.1-microsoft-standard-WSL2");
  check_only_problem(machine, "pci", "WSL", "boot Linux itself");
  const std::vector<Finding> findings = machine.findings();
  CHECK(finding_of(findings, "surroundings").state == State::kWarning);
  CHECK(contains(finding_of(findings, "surroundings").seen, "Windows Subsystem for Linux"));
}

TEST_CASE("an accelerator of Intel's that is newer than the table is a device all the same") {
  ExampleMachine machine;
  machine.replace("sys/bus/pci/devices/0000:00:0b.0/uevent", "7D1D", "FFF1");
  const std::vector<Finding> findings = machine.findings();
  CHECK(finding_of(findings, "pci").state == State::kWarning);
  CHECK(contains(finding_of(findings, "pci").seen, "8086:fff1"));
  CHECK(first_problem(findings) == nullptr);
}

TEST_CASE("a device whose number is none is no NPU") {
  ExampleMachine machine;
  machine.remove_node();
  machine.replace("sys/bus/pci/devices/0000:00:0b.0/uevent", "7D1D", "7D1-");
  check_only_problem(machine, "pci", "none that is an NPU", "firmware set-up (BIOS)");
}

TEST_CASE("a kernel before 6.3 is too old, and 6.3 is not") {
  for (const char* release : {"5.15.0-107-generic", "6.2.16", "4.4", "6.2"}) {
    ExampleMachine machine;
    machine.remove_node();
    machine.remove("sys/module");
    machine.remove("proc/modules");
    machine.write("proc/sys/kernel/osrelease", std::string(release) + "\n");
    check_only_problem(machine, "kernel", std::string(release) + " is too old", "sudo apt install");
  }
  for (const char* release : {"6.3.0", "6.3", "6.10.1-arch1", "7.0.0-rc1"}) {
    ExampleMachine machine;
    machine.write("proc/sys/kernel/osrelease", release);
    CHECK(finding_of(machine.findings(), "kernel").state == State::kOk);
  }
}

/// The kernel could drive the NPU but does not: no module, no node.
void unload_module(ExampleMachine& machine) {
  machine.remove_node();
  machine.remove("sys/module");
  machine.write("proc/modules", "i915 1 0 - Live 0x0\n");
  machine.replace("sys/bus/pci/devices/0000:00:0b.0/uevent", "DRIVER=intel_vpu\n", "");
}

TEST_CASE("the module is not loaded") {
  ExampleMachine machine;
  unload_module(machine);
  check_only_problem(machine, "module", "not loaded", "sudo modprobe intel_vpu");
}

TEST_CASE("the module is forbidden by a file, or on the kernel's command line") {
  for (const char* line : {"blacklist intel_vpu\n", "install intel_vpu /bin/false\n",
                           "  blacklist   intel_vpu # does not resume\n"}) {
    ExampleMachine machine;
    unload_module(machine);
    machine.write("etc/modprobe.d/no-npu.conf", line);
    check_only_problem(machine, "module", "/etc/modprobe.d/no-npu.conf forbids it", "sudo sed -i");
  }
  ExampleMachine machine;
  unload_module(machine);
  machine.write("proc/cmdline", "ro quiet module_blacklist=nouveau,intel_vpu\n");
  check_only_problem(machine, "module", "/proc/cmdline forbids it", "command line");
}

TEST_CASE("a name from outside is one word of a command, whatever is in it") {
  ExampleMachine machine;
  unload_module(machine);
  machine.write("etc/modprobe.d/it's; $(rm) # a.conf", "blacklist intel_vpu\n");
  check_only_problem(machine, "module", "forbids it",
                     R"( '/etc/modprobe.d/it'\''s; $(rm) # a.conf' && sudo modprobe intel_vpu)");
  machine.write(".dockerenv", "");
  check_only_problem(machine, "module", "forbids it", " && sudo modprobe intel_vpu # on the host");
}

TEST_CASE("the kernel was built without the module") {
  ExampleMachine machine;
  unload_module(machine);
  machine.write("lib/modules/6.11.0-26-generic/modules.alias",
                "alias pci:v00008086d00009A49sv*sd*bc*sc*i* i915\n");
  check_only_problem(machine, "module", "this kernel has none", "linux-modules-extra-$(uname -r)");
  machine.write("etc/os-release", "ID=arch\n");
  check_only_problem(machine, "module", "this kernel has none", "CONFIG_DRM_ACCEL_IVPU");
}

TEST_CASE("the module is older than the NPU") {
  ExampleMachine machine;
  machine.remove_node();
  machine.write("sys/bus/pci/devices/0000:00:0b.0/uevent", "PCI_CLASS=120000\nPCI_ID=8086:B03E\n");
  check_only_problem(machine, "module", "does not know the NPU: 0000:00:0b.0 is 8086:b03e",
                     "sudo apt install");
}

TEST_CASE("another driver has taken the NPU") {
  ExampleMachine machine;
  machine.remove_node();
  machine.replace("sys/bus/pci/devices/0000:00:0b.0/uevent", "intel_vpu", "vfio-pci");
  check_only_problem(machine, "module", "vfio-pci has taken 0000:00:0b.0",
                     "sudo tee /sys/bus/pci/drivers/vfio-pci/unbind");
}

TEST_CASE("the kernel does not find the firmware") {
  ExampleMachine machine;
  machine.remove_node();
  machine.remove("lib/firmware");
  machine.write("var/log/kern.log",
                "intel_vpu 0000:00:0b.0: firmware: failed to load intel/vpu/vpu_37xx_v1.bin (-2)\n"
                "intel_vpu 0000:00:0b.0: probe with driver intel_vpu failed with error -2\n");
  check_only_problem(machine, "firmware", "failed to load intel/vpu/vpu_37xx_v1.bin (-2)",
                     "intel-fw-npu");
  machine.write("var/log/kern.log",
                "[    4.4] intel_vpu 0000:00:0b.0: [drm] *ERROR* ivpu_fw_request(): Failed to "
                "request firmware: -2\n");
  check_only_problem(machine, "firmware", "Failed to request firmware: -2", "intel-fw-npu");
}

TEST_CASE("the firmware does not start") {
  ExampleMachine machine;
  machine.remove_node();
  machine.write("var/log/kern.log",
                "intel_vpu 0000:00:0b.0: [drm] *ERROR* ivpu_boot(): Failed to boot the firmware: "
                "-110\n");
  check_only_problem(machine, "firmware", "Failed to boot the firmware: -110",
                     "switch the machine off and on");
}

TEST_CASE("firmware files of another NPU are none, and nothing is known without the log") {
  ExampleMachine machine;
  machine.remove_node();
  machine.remove("var/log");
  machine.remove("lib/firmware");
  machine.write("lib/firmware/intel/vpu/vpu_40xx_v1.bin", "");
  check_only_problem(machine, "firmware", "no vpu_37xx*.bin", "intel-fw-npu");
  machine.write("lib/firmware/updates/intel/vpu/vpu_37xx_v0.0.bin", "");
  check_only_problem(machine, "node", "there is no /dev/accel/accel*", "modprobe -r intel_vpu");
  CHECK(finding_of(machine.findings(), "firmware").state == State::kUnknown);
  CHECK(contains(mends(finding_of(machine.findings(), "firmware")), "dmesg"));
}

TEST_CASE("a running NPU of which the kernel complains is a warning; older complaints are past") {
  ExampleMachine machine;
  machine.replace("var/log/kern.log", "on minor 0\n",
                  "on minor 0\n[   99.0] intel_vpu 0000:00:0b.0: [drm] *ERROR* "
                  "ivpu_pm_recovery_work(): Recovering the NPU\n");
  std::vector<Finding> findings = machine.findings();
  CHECK(finding_of(findings, "firmware").state == State::kWarning);
  CHECK(contains(finding_of(findings, "firmware").seen, "Recovering the NPU"));
  CHECK(first_problem(findings) == nullptr);
  machine.replace("var/log/kern.log", "Recovering the NPU\n",
                  "Recovering the NPU\n[drm] Initialized intel_vpu 1.0.0 for 0000:00:0b.0\n");
  CHECK(finding_of(machine.findings(), "firmware").state == State::kOk);
}

TEST_CASE("module and firmware are well, and there is no node") {
  ExampleMachine machine;
  machine.remove_node();
  check_only_problem(machine, "node", "there is no /dev/accel/accel*", "modprobe -r intel_vpu");
}

TEST_CASE("a container was started without the device") {
  ExampleMachine machine;
  machine.remove_node();
  machine.write(".dockerenv", "");
  check_only_problem(machine, "node", "this container was given no", "--device /dev/accel");
  const Finding around = finding_of(machine.findings(), "surroundings");
  CHECK(around.state == State::kWarning);
  CHECK(contains(around.seen, "docker"));
  CHECK(contains(mends(around), "on the host"));
}

TEST_CASE("every kind of container is called by its name") {
  for (const auto& [path, content, name] :
       {std::tuple{".dockerenv", "", "docker"},
        {"run/.containerenv", "engine=\"podman\"", "podman"},
        {"run/systemd/container", "systemd-nspawn\n", "systemd-nspawn"},
        {"proc/1/cgroup", "0::/kubepods/burstable/pod1\n", "kubernetes"},
        {"proc/1/cgroup", "9:cpu:/docker/0123\n", "docker"}}) {
    ExampleMachine machine;
    machine.write(path, content);
    const Finding around = finding_of(machine.findings(), "surroundings");
    CHECK(around.state == State::kOk);  // it was given the device
    CHECK(contains(around.seen, name));
  }
}

}  // namespace
}  // namespace ovenbird
