// A machine below a temporary directory.
#include "doctor/example_machine.h"

#include <elf.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <set>

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

std::string elf_header() {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_machine = EM_X86_64;
  header.e_phentsize = sizeof(Elf64_Phdr);
  return {reinterpret_cast<const char*>(&header), sizeof header};
}

/// Whether sh would run it, as far as its grammar goes.
bool shell_takes(const std::string& text) {
  FILE* const shell = ::popen("sh -n 2>/dev/null", "w");
  REQUIRE(shell != nullptr);
  std::fwrite(text.data(), 1, text.size(), shell);
  return ::pclose(shell) == 0;
}

std::string without_quotes(const std::string& command) {
  std::string rest;
  bool is_inside = false;
  for (size_t at = 0; at < command.size(); ++at) {
    if (!is_inside && command[at] == '\\') {
      ++at;
    } else if (command[at] == '\'') {
      is_inside = !is_inside;
    } else if (!is_inside) {
      rest += command[at];
    }
  }
  return rest;
}

/// What can be pasted into a shell: a command, or a comment. Each text is tried once.
void check_mend(const std::string& mend) {
  static std::set<std::string> known;
  if (!known.insert(mend).second) return;
  INFO(mend);
  CHECK(std::all_of(mend.begin(), mend.end(), [](char c) { return c >= ' ' && c <= '~'; }));
  CHECK(shell_takes(mend + "\n"));
  if (mend.starts_with("# ")) return;
  static const std::set<std::string> programs = {"echo",   "export",   "lspci", "make",
                                                 "newgrp", "ovenbird", "sudo",  "unset"};
  CHECK(programs.count(mend.substr(0, mend.find(' '))) == 1);
  // Prose behind a command would become its arguments.
  std::string command = without_quotes(mend);
  command = command.substr(0, command.find(" # "));
  for (const char* prose : {", ", "; ", " ...", " (", "and "}) {
    CHECK(command.find(prose) == std::string::npos);
  }
}

}  // namespace

ExampleMachine::ExampleMachine() {
  write_hardware();
  write_programs();
  self_test = {.ending = SelfTest::Ending::kAnswered,
               .answer = {.is_listed = true,
                          .name = "Intel(R) AI Boost",
                          .architecture = "3720",
                          .driver = "1760000000",
                          .imports_pages = true}};
}

void ExampleMachine::write_hardware() {
  write("proc/cpuinfo",
        "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 170\n"
        "model name\t: Intel(R) Core(TM) Ultra 7 155H\nstepping\t: 4\n"
        "flags\t\t: fpu vme de avx2 avx_vnni\n\nprocessor\t: 1\n");
  write("sys/bus/pci/devices/0000:00:00.0/uevent", "PCI_CLASS=60000\nPCI_ID=8086:7D01\n");
  write("sys/bus/pci/devices/0000:00:0b.0/uevent",
        "DRIVER=intel_vpu\nPCI_CLASS=120000\nPCI_ID=8086:7D1D\nPCI_SLOT_NAME=0000:00:0b.0\n");
  write("proc/sys/kernel/osrelease", "6.11.0-26-generic\n");
  write("proc/version", "Linux version 6.11.0-26-generic (buildd@host) #26-Ubuntu SMP\n");
  write("proc/cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/nvme0n1p2 ro quiet\n");
  write("proc/modules", "intel_vpu 327680 0 - Live 0x0000000000000000\n");
  write("sys/module/intel_vpu/initstate", "live\n");
  write("lib/modules/6.11.0-26-generic/modules.alias",
        "# Aliases extracted from modules themselves.\n"
        "alias pci:v00008086d00009A49sv*sd*bc*sc*i* i915\n"
        "alias pci:v00008086d00007D1Dsv*sd*bc*sc*i* intel_vpu\n"
        "alias pci:v00008086d0000AD1Dsv*sd*bc*sc*i* intel_vpu\n");
  write("lib/firmware/intel/vpu/vpu_37xx_v1.bin.zst", "firmware");
  write("etc/modprobe.d/other.conf", "# nothing about accelerators\nblacklist pcspkr\n");
  write("var/log/kern.log",
        "[    1.9] intel_vpu 0000:00:0b.0: firmware: failed to load vpu_37xx.bin (-2)\n"
        "[    1.9] intel_vpu 0000:00:0b.0: [drm] Firmware: intel/vpu/vpu_37xx_v1.bin, version: "
        "20250611*MTL_CLIENT_SILICON-release\n"
        "[    2.0] [drm] Initialized intel_vpu 1.0.0 for 0000:00:0b.0 on minor 0\n");
  write("dev/accel/accel0", "");
  set_mode("dev/accel/accel0", 0660);
  write("sys/class/accel/accel0/device/uevent", "DRIVER=intel_vpu\nPCI_ID=8086:7D1D\n");
  const std::string group = std::to_string(group_of_node());
  write("etc/group", "sudo:x:54027:alice\nrender:x:" + group + ":alice\nalice:x:54321:\n");
  write("etc/passwd", "alice:x:54321:54321:Alice:/home:/bin/bash\n");
  log_in({group_of_node()});
}

void ExampleMachine::write_programs() {
  write_library("usr/lib/x86_64-linux-gnu/libze_loader.so.1.24.0",
                "usr/lib/x86_64-linux-gnu/libze_loader.so.1");
  write_library("usr/lib/x86_64-linux-gnu/libze_intel_npu.so.1.22.0",
                "usr/lib/x86_64-linux-gnu/libze_intel_npu.so.1");
  write_library("usr/lib/x86_64-linux-gnu/libnpu_driver_compiler.so");
  write("etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n");
  write("etc/ld.so.conf.d/local.conf", "# local\n/usr/local/lib\n");
  write("var/lib/dpkg/status",
        "Package: bash\nStatus: install ok installed\nVersion: 5.2\n\n"
        "Package: intel-driver-compiler-npu\nStatus: install ok installed\nVersion: 1.22.0\n");
  write_library("opt/openvino/libopenvino_intel_npu_plugin.so");
  write_library("opt/openvino/libopenvino_intel_npu_compiler_loader.so");
  write_library("opt/openvino/libopenvino_intel_npu_compiler.so");
  write("proc/self/limits",
        "Limit                     Soft Limit           Hard Limit           Units     \n"
        "Max open files            1024                 1048576              files     \n"
        "Max locked memory         8388608000           8388608000           bytes     \n");
  write("proc/1/cgroup", "0::/init.scope\n");
  write("etc/os-release", "NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\n");
}

void ExampleMachine::write(const std::string& path, std::string_view content) {
  std::error_code ignored;
  fs::create_directories((root() / path).parent_path(), ignored);
  directory_.write(path, content);
  if (std::find(files_.begin(), files_.end(), path) == files_.end()) files_.push_back(path);
}

void ExampleMachine::remove(const std::string& path) {
  REQUIRE(fs::remove_all(root() / path) > 0);
  std::erase_if(files_, [&](const std::string& file) { return file.starts_with(path); });
}

void ExampleMachine::set_mode(const std::string& path, unsigned mode) {
  REQUIRE(::chmod((root() / path).c_str(), mode) == 0);
}

void ExampleMachine::write_library(const std::string& path, const std::string& link) {
  write(path, elf_header());
  if (link.empty()) return;
  std::error_code ignored;
  fs::remove(root() / link, ignored);
  fs::create_symlink(fs::path(path).filename(), root() / link);
}

void ExampleMachine::replace(const std::string& path, const std::string& old,
                             const std::string& content) {
  std::ifstream in(root() / path);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  const size_t at = text.find(old);
  REQUIRE(at != std::string::npos);
  write(path, text.replace(at, old.size(), content));
}

uint32_t ExampleMachine::group_of_node() const {
  struct stat facts {};
  REQUIRE(::stat((root() / "proc/cpuinfo").c_str(), &facts) == 0);
  return facts.st_gid;
}

void ExampleMachine::log_in(const std::vector<uint32_t>& groups, uint32_t user) {
  const std::string id = std::to_string(user);
  std::string all;
  for (const uint32_t group : groups) all += std::to_string(group) + " ";
  write("proc/self/status", "Name:\tovenbird\nUid:\t" + id + "\t" + id + "\t" + id + "\t" + id +
                                "\nGid:\t54321\t54321\t54321\t54321\nGroups:\t" + all +
                                "\nCapEff:\t0000000000000000\n");
}

MachineView ExampleMachine::view() const {
  return {
      .root = root(), .library_path = library_path, .openvino_directory = root() / "opt/openvino"};
}

std::vector<Finding> ExampleMachine::findings() const {
  std::vector<Finding> findings = diagnose(read_machine_facts(view()), self_test, arena);
  for (const Finding& finding : findings) {
    for (const std::string& mend : finding.mend) check_mend(mend);
  }
  return findings;
}

const Finding& finding_of(const std::vector<Finding>& findings, std::string_view id) {
  const auto found = std::find_if(findings.begin(), findings.end(),
                                  [&](const Finding& finding) { return finding.id == id; });
  REQUIRE(found != findings.end());
  return *found;
}

}  // namespace ovenbird
