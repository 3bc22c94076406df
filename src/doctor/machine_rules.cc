// What the machine and its kernel need for an NPU.
#include <algorithm>
#include <array>
#include <cstdio>

#include "base/message_text.h"
#include "base/npu_generation.h"
#include "doctor/finding_rules.h"

namespace ovenbird {
namespace {

using State = Finding::State;

constexpr int64_t kKernelMajor = 6;  // Linux 6.3 brought intel_vpu
constexpr int64_t kKernelMinor = 3;
constexpr std::string_view kLogInAgain = "# log out and in again";

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::string octal(uint32_t mode) {
  char text[16];
  std::snprintf(text, sizeof text, "%04o", mode);
  return text;
}

/// "0000:00:0b.0 is 8086:7d1d".
std::string device_text(const PciNpu& npu) {
  char text[32];
  std::snprintf(text, sizeof text, "8086:%04llx", static_cast<unsigned long long>(npu.device));
  return printable(npu.address) + " is " + text;
}

std::vector<std::string> newer_kernel(const MachineFacts& machine) {
  if (machine.surroundings.distribution != Distribution::kDebian) {
    return {on_host(machine, "# install a newer kernel, and reboot")};
  }
  return {on_host(machine, "sudo apt install linux-generic-hwe-24.04 # of Ubuntu"),
          on_host(machine, "sudo reboot")};
}

/// Messages behind the last one that says all is well.
std::vector<std::string> complaints(const FirmwareFacts& firmware) {
  std::vector<std::string> lines;
  for (const std::string& line : firmware.messages) {
    if (contains(line, "Initialized intel_vpu")) lines.clear();
    if (contains(line, "ERROR") || contains(line, "ailed")) lines.push_back(line);
  }
  return lines;
}

/// A message of the kernel without its time, its name for the device, and its mark of an error.
std::string short_message(const std::string& line) {
  std::string_view text = line;
  for (const std::string_view mark : {"intel_vpu ", "*ERROR* "}) {
    const size_t at = text.find(mark);
    if (at != std::string_view::npos) text.remove_prefix(at + mark.size());
  }
  return printable(text);
}

std::string wanted_firmware(const MachineFacts& machine) {
  const NpuGeneration* generation =
      machine.pci.npus.empty() ? nullptr : npu_of_device(machine.pci.npus.front().device);
  return generation ? "vpu_" + std::string(generation->firmware) : "vpu_";
}

bool has_firmware_file(const MachineFacts& machine) {
  const std::string wanted = wanted_firmware(machine);
  return std::any_of(machine.firmware.files.begin(), machine.firmware.files.end(),
                     [&](const std::string& file) { return contains(file, wanted); });
}

std::vector<std::string> install_firmware(const MachineFacts& machine) {
  return {std::string(kDriverPackages), on_host(machine, "sudo dpkg -i intel-fw-npu_*.deb"),
          on_host(machine, kReloadModule)};
}

/// Firmware where no node tells that it runs.
Finding firmware_without_node(const Finding& finding, const MachineFacts& machine) {
  const FirmwareFacts& firmware = machine.firmware;
  if (const std::vector<std::string> lines = complaints(firmware); !lines.empty()) {
    const bool is_missing = std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
      return contains(line, "ailed to request firmware") ||
             contains(line, "irmware: failed to load") || contains(line, "failed to load firmware");
    });
    if (is_missing) {
      return with(finding, State::kProblem,
                  "the kernel found none: " + short_message(lines.front()),
                  install_firmware(machine));
    }
    std::vector<std::string> mend = install_firmware(machine);
    mend.push_back(on_host(machine, "# if it stays: switch the machine off and on"));
    return with(finding, State::kProblem, short_message(lines.front()), mend);
  }
  // A container has a /lib/firmware of its own, which the kernel does not ask.
  if (!has_firmware_file(machine) && machine.surroundings.container.empty()) {
    return with(finding, State::kProblem,
                "there is no " + wanted_firmware(machine) + "*.bin in /lib/firmware/intel/vpu",
                install_firmware(machine));
  }
  if (firmware.log != Reading::kRead) {
    return with(finding, State::kUnknown,
                std::string("the kernel's messages: ") + words_for(firmware.log),
                {on_host(machine, "sudo dmesg | grep intel_vpu")});
  }
  return with(finding, State::kOk, "the kernel says nothing against it");
}

std::string udev_rule() {
  return R"(echo 'SUBSYSTEM=="accel", GROUP="render", MODE="0660"' |)"
         " sudo tee /etc/udev/rules.d/60-npu.rules";
}

}  // namespace

Finding cpu_finding(const MachineFacts& machine) {
  const Finding finding{.id = "cpu", .title = "CPU"};
  const CpuFacts& cpu = machine.cpu;
  const std::string name = cpu.name.empty() ? "a CPU without a name" : printable(cpu.name);
  if (!machine.pci.npus.empty()) return with(finding, State::kOk, name + ", with an NPU beside it");
  if (cpu.reading != Reading::kRead) {
    return with(finding, State::kUnknown, std::string("/proc/cpuinfo: ") + words_for(cpu.reading));
  }
  if (cpu.vendor.empty()) return with(finding, State::kUnknown, "/proc/cpuinfo names no vendor");
  const std::vector<std::string> mend{
      "# use --device CPU here; NPUs are in Intel Core Ultra processors"};
  if (cpu.vendor != "GenuineIntel") {
    return with(finding, State::kProblem, name + ": this CPU has no Intel NPU", mend);
  }
  if (const NpuGeneration* generation = npu_of_processor(cpu.family, cpu.model)) {
    return with(finding, State::kOk, name + " (" + std::string(generation->processors) + ")");
  }
  if (contains(cpu.name, "Core(TM) Ultra")) return with(finding, State::kOk, name);
  return with(finding, State::kProblem, name + ": this CPU has no NPU", mend);
}

Finding pci_finding(const MachineFacts& machine) {
  const Finding finding{.id = "pci", .title = "PCI device"};
  const PciFacts& pci = machine.pci;
  if (!pci.npus.empty()) {
    const PciNpu& npu = pci.npus.front();
    const NpuGeneration* generation = npu_of_device(npu.device);
    if (!generation) {
      return with(finding, State::kWarning,
                  device_text(npu) + ", an accelerator of Intel's that doctor does not know");
    }
    const std::string platform =
        generation->platform.empty() ? "" : ", platform " + std::string(generation->platform);
    return with(finding, State::kOk,
                device_text(npu) + " (" + std::string(generation->processors) + platform + ")");
  }
  if (machine.surroundings.is_wsl) {
    return with(finding, State::kProblem, "WSL shows its Linux no NPU",
                {"# boot Linux itself; see https://github.com/microsoft/WSL/issues/40842"});
  }
  if (pci.reading != Reading::kRead) {
    return with(finding, State::kUnknown,
                std::string("/sys/bus/pci/devices: ") + words_for(pci.reading));
  }
  if (machine.cpu.is_virtual) {
    return with(finding, State::kProblem, "none that is an NPU in this virtual machine",
                {"# on the host, pass the NPU (lspci -d 8086::1200) through to the machine"});
  }
  return with(finding, State::kProblem, "none that is an NPU",
              {"# turn it on in the firmware set-up (BIOS), as NPU, VPU or AI Boost; reboot",
               "lspci -d 8086::1200 # shows it then"});
}

Finding kernel_finding(const MachineFacts& machine) {
  const Finding finding{.id = "kernel", .title = "kernel"};
  const KernelFacts& kernel = machine.kernel;
  if (kernel.major < 0 || kernel.minor < 0) {
    return with(finding, State::kUnknown, "/proc/sys/kernel/osrelease tells no version");
  }
  const std::string release =
      "Linux " + (kernel.release.empty() ? "of no name" : printable(kernel.release));
  const bool is_old =
      kernel.major < kKernelMajor || (kernel.major == kKernelMajor && kernel.minor < kKernelMinor);
  if (!is_old) return with(finding, State::kOk, release);
  return with(finding, State::kProblem, release + " is too old: intel_vpu came with 6.3",
              newer_kernel(machine));
}

Finding module_finding(const MachineFacts& machine) {
  const Finding finding{.id = "module", .title = "module intel_vpu"};
  const KernelFacts& kernel = machine.kernel;
  const PciNpu npu = machine.pci.npus.empty() ? PciNpu{} : machine.pci.npus.front();
  if (!machine.accel.nodes.empty()) return with(finding, State::kOk, "it drives a device");
  if (!npu.driver.empty() && npu.driver != "intel_vpu") {
    const std::string drivers = "/sys/bus/pci/drivers/";
    const std::string hand_to = "echo " + shell_word(npu.address) + " | sudo tee ";
    return with(finding, State::kProblem,
                printable(npu.driver) + " has taken " + printable(npu.address),
                {on_host(machine, hand_to + shell_word(drivers + npu.driver + "/unbind")),
                 on_host(machine, hand_to + drivers + "intel_vpu/bind")});
  }
  if (kernel.aliases == Reading::kRead && kernel.module_is_installed &&
      !kernel.module_knows_device && npu.driver.empty()) {
    return with(finding, State::kProblem,
                "that of this kernel does not know the NPU: " + device_text(npu),
                newer_kernel(machine));
  }
  if (kernel.has_module) return with(finding, State::kOk, "loaded");
  if (!kernel.blacklisted_in.empty()) {
    const std::string& file = kernel.blacklisted_in;
    const std::string allow =
        file == "/proc/cmdline"
            ? "# take intel_vpu out of the kernel's command line, and reboot"
            : "sudo sed -i '/intel.vpu/s/^/#/' " + shell_word(file) + " && sudo modprobe intel_vpu";
    return with(finding, State::kProblem, "not loaded: " + printable(file) + " forbids it",
                {on_host(machine, allow)});
  }
  if (kernel.aliases == Reading::kRead && !kernel.module_is_installed) {
    const bool has_apt = machine.surroundings.distribution == Distribution::kDebian;
    return with(
        finding, State::kProblem, "this kernel has none",
        {on_host(machine, has_apt ? "sudo apt install linux-modules-extra-$(uname -r)"
                                  : "# install a kernel with CONFIG_DRM_ACCEL_IVPU, and reboot")});
  }
  return with(finding, State::kProblem, "not loaded",
              {on_host(machine, "sudo modprobe intel_vpu")});
}

Finding firmware_finding(const MachineFacts& machine) {
  const Finding finding{.id = "firmware", .title = "firmware"};
  if (machine.accel.nodes.empty()) return firmware_without_node(finding, machine);
  if (const std::vector<std::string> lines = complaints(machine.firmware); !lines.empty()) {
    return with(finding, State::kWarning, "the kernel complains: " + short_message(lines.back()),
                {on_host(machine, "sudo dmesg | grep intel_vpu"), on_host(machine, kReloadModule)});
  }
  for (const std::string& line : machine.firmware.messages) {
    if (const size_t at = line.find("Firmware: "); at != std::string::npos) {
      return with(finding, State::kOk, printable(line.substr(at + 10)));
    }
  }
  return with(finding, State::kOk, "it runs: there is a device node");
}

Finding node_finding(const MachineFacts& machine) {
  const Finding finding{.id = "node", .title = "device node"};
  const AccelFacts& accel = machine.accel;
  if (!accel.nodes.empty()) return with(finding, State::kOk, printable(accel.nodes.front().path));
  if (accel.reading != Reading::kRead && accel.reading != Reading::kMissing) {
    return with(finding, State::kUnknown, std::string("/dev/accel: ") + words_for(accel.reading));
  }
  if (!machine.surroundings.container.empty()) {
    return with(finding, State::kProblem, "this container was given no /dev/accel/accel*",
                {"# start it with: docker run --device /dev/accel --group-add "
                 "$(stat -c %g /dev/accel/accel0)"});
  }
  return with(finding, State::kProblem, "there is no /dev/accel/accel*",
              {on_host(machine, kReloadModule), on_host(machine, "sudo dmesg | grep intel_vpu")});
}

Finding permission_finding(const MachineFacts& machine) {
  const Finding finding{.id = "permission", .title = "permission"};
  if (machine.accel.nodes.empty()) return with(finding, State::kUnknown, "there is no device node");
  const NodeFacts& node = machine.accel.nodes.front();
  const std::string group = printable(node.group_name);
  const std::string seen =
      printable(node.path) + " has group " + group + ", mode " + octal(node.mode);
  if (node.may_open) return with(finding, State::kOk, seen);
  const UserFacts& user = machine.user;
  if (user.reading != Reading::kRead) {
    return with(finding, State::kUnknown,
                std::string("/proc/self/status: ") + words_for(user.reading) + "; " + seen);
  }
  if ((node.mode & 060) != 060 || node.group_name == "root" || node.group_name == "0") {
    return with(finding, State::kProblem, seen + ": its group may not use it",
                {on_host(machine, udev_rule()),
                 on_host(machine, "sudo udevadm control --reload && sudo udevadm trigger"),
                 on_host(machine, "sudo usermod -aG render $USER"), std::string(kLogInAgain)});
  }
  if (!machine.surroundings.container.empty()) {
    return with(finding, State::kProblem, seen + ": this user is not in that group",
                {"# start it with: docker run --device /dev/accel --group-add " +
                 std::to_string(node.group)});
  }
  if (std::find(user.enlisted.begin(), user.enlisted.end(), node.group) != user.enlisted.end()) {
    return with(
        finding, State::kProblem, seen + ": you are in that group from the next login on",
        {"newgrp " + shell_word(node.group_name) + " # in this shell", std::string(kLogInAgain)});
  }
  return with(
      finding, State::kProblem, seen + ": this user is not in that group",
      {"sudo usermod -aG " + shell_word(node.group_name) + " $USER", std::string(kLogInAgain)});
}

Finding surroundings_finding(const MachineFacts& machine) {
  const Finding finding{.id = "surroundings", .title = "surroundings"};
  const SurroundingsFacts& around = machine.surroundings;
  const std::string container = "a container (" + printable(around.container) + ")";
  // Where there is nothing to hand on, it does not matter who would.
  const bool is_idle =
      !machine.accel.nodes.empty() || cpu_finding(machine).state == State::kProblem;
  if (around.is_wsl) {
    return with(finding, is_idle ? State::kOk : State::kWarning,
                "the Windows Subsystem for Linux, which hands on a GPU but no NPU");
  }
  if (around.container.empty()) return with(finding, State::kOk, "no container, no WSL");
  if (is_idle) return with(finding, State::kOk, container);
  return with(finding, State::kWarning,
              container + ": kernel, module and firmware are the host's, and mended there",
              {"ovenbird doctor # on the host as well"});
}

}  // namespace ovenbird
