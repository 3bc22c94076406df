// What a machine shows of itself that matters for an NPU. Facts only; diagnose.h judges them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "doctor/probed_file.h"

namespace ovenbird {

/// Where to look. A test lays out a broken machine below a directory and names that as the root.
struct MachineView {
  std::filesystem::path root = "/";          // prepended to every path but the two below
  std::string library_path;                  // LD_LIBRARY_PATH: looked through before all else
  std::filesystem::path openvino_directory;  // of OpenVINO's plugins; empty: not known

  /// Whether it is the machine that this program runs on, which can be asked more than files.
  bool is_this_machine() const { return root == "/"; }
};

struct CpuFacts {
  Reading reading = Reading::kMissing;  // of /proc/cpuinfo
  std::string vendor;                   // "GenuineIntel"
  std::string name;                     // "Intel(R) Core(TM) Ultra 7 155H"
  int64_t family = -1;
  int64_t model = -1;
  bool is_virtual = false;  // the processor of a virtual machine
};

struct PciNpu {
  std::string address;  // "0000:00:0b.0"
  int64_t device = -1;  // 0x7d1d
  std::string driver;   // that has taken it: "intel_vpu"; empty: none
};

struct PciFacts {
  Reading reading = Reading::kMissing;  // of /sys/bus/pci/devices
  std::vector<PciNpu> npus;
};

struct KernelFacts {
  std::string release;  // "6.11.0-26-generic"; empty: not known
  int64_t major = -1;
  int64_t minor = -1;
  bool has_module = false;  // intel_vpu is loaded, or built in
  // What modules.alias says could be loaded. It is looked at only where there is an NPU.
  Reading aliases = Reading::kMissing;
  bool module_is_installed = false;  // it names intel_vpu
  bool module_knows_device = false;  // ... for the NPU of this machine
  std::string blacklisted_in;        // the file that forbids loading intel_vpu; empty: none
};

struct NodeFacts {
  std::string path;  // "/dev/accel/accel0"
  uint32_t user = 0;
  uint32_t group = 0;
  std::string group_name;  // its number, if it has no name
  uint32_t mode = 0;       // permission bits
  bool may_open = false;   // by this user, reading and writing
};

struct AccelFacts {
  Reading reading = Reading::kMissing;  // of /dev/accel
  std::vector<NodeFacts> nodes;         // of Intel NPUs, as far as can be seen
};

struct UserFacts {
  Reading reading = Reading::kMissing;  // of /proc/self/status
  uint32_t user = 0;
  std::string name;                // empty: not known
  std::vector<uint32_t> groups;    // that this process has
  std::vector<uint32_t> enlisted;  // that /etc/group gives the user at the next login
  bool ignores_modes = false;      // CAP_DAC_OVERRIDE
  bool may_lock_all = false;       // CAP_IPC_LOCK
};

struct FirmwareFacts {
  std::vector<std::string> files;     // of the NPU, by path
  Reading log = Reading::kMissing;    // of the kernel's messages
  std::vector<std::string> messages;  // those that name its driver, the oldest first
};

struct LibraryFacts {
  std::string path;     // empty: not found
  std::string version;  // "1.24.0"; empty: not known
  std::string fault;    // why it cannot be loaded; empty: nothing is seen
  bool is_from_library_path = false;
};

struct LibrariesFacts {
  LibraryFacts loader;  // libze_loader.so.1
  LibraryFacts driver;  // libze_intel_npu.so.1, or by its old name
  bool driver_has_old_name = false;
  LibraryFacts driver_compiler;  // libnpu_driver_compiler.so
};

struct OpenVinoFacts {
  std::string directory;  // empty: not known
  bool has_plugin = false;
  bool has_compiler = false;  // both its loader and itself
};

struct MemlockFacts {
  Reading reading = Reading::kMissing;  // of /proc/self/limits
  std::optional<uint64_t> bytes;        // none: no limit
};

enum class Distribution { kOther, kDebian, kFedora, kArch };

struct SurroundingsFacts {
  std::string container;  // "docker", "podman", ...; empty: none
  bool is_wsl = false;    // the Windows Subsystem for Linux
  Distribution distribution = Distribution::kOther;
};

struct MachineFacts {
  CpuFacts cpu;
  PciFacts pci;
  KernelFacts kernel;
  UserFacts user;
  AccelFacts accel;
  FirmwareFacts firmware;
  LibrariesFacts libraries;
  OpenVinoFacts openvino;
  MemlockFacts memlock;
  SurroundingsFacts surroundings;
};

/// Looks at everything once. Whatever is missing, huge, garbage or forbidden becomes a fact;
/// nothing blocks for long.
MachineFacts read_machine_facts(const MachineView& view);

// Its parts, in the order in which they need one another.
CpuFacts read_cpu(const MachineView& view);
PciFacts read_pci(const MachineView& view);
KernelFacts read_kernel(const MachineView& view, const PciFacts& pci);
UserFacts read_user(const MachineView& view);
AccelFacts read_accel(const MachineView& view, const UserFacts& user);
FirmwareFacts read_firmware(const MachineView& view, const PciFacts& pci);
LibrariesFacts read_libraries(const MachineView& view);
OpenVinoFacts read_openvino(const MachineView& view);
MemlockFacts read_memlock(const MachineView& view);
SurroundingsFacts read_surroundings(const MachineView& view);

}  // namespace ovenbird
