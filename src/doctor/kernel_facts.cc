// The PCI device, the kernel and its module, the firmware.
#include <sys/klog.h>

#include <algorithm>
#include <cerrno>

#include "base/limits.h"
#include "base/npu_generation.h"
#include "doctor/machine_facts.h"
#include "doctor/text_parts.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kModule = "intel_vpu";
constexpr int kReadAllMessages = 3;      // SYSLOG_ACTION_READ_ALL of syslog(2)
constexpr int kMessagesBufferSize = 10;  // SYSLOG_ACTION_SIZE_BUFFER

std::string trimmed_file(const fs::path& path) {
  return std::string(trimmed(read_probed_file(path, limits::kProbedFileBytesMax).text));
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// `words` of a "blacklist MODULE" or "install MODULE /bin/false" line.
bool forbids_module(const std::vector<std::string_view>& words) {
  const auto is_module = [](std::string_view name) {
    return name == kModule || name == "intel-vpu";
  };
  if (words.size() < 2 || !is_module(words[1])) return false;
  if (words[0] == "blacklist") return true;
  return words[0] == "install" && words.size() > 2 &&
         (contains(words[2], "false") || contains(words[2], "true"));
}

std::string find_blacklist(const MachineView& view) {
  for (const char* folder : {"etc/modprobe.d", "run/modprobe.d", "usr/local/lib/modprobe.d",
                             "usr/lib/modprobe.d", "lib/modprobe.d"}) {
    for (const std::string& name : list_directory(view.root / folder).names) {
      if (!name.ends_with(".conf")) continue;
      const FileText file =
          read_probed_file(view.root / folder / name, limits::kProbedFileBytesMax);
      for (const std::string_view line : lines_of(file.text)) {
        if (forbids_module(words_of(line))) return "/" + std::string(folder) + "/" + name;
      }
    }
  }
  const std::string command_line = trimmed_file(view.root / "proc/cmdline");
  for (const std::string_view word : words_of(command_line)) {
    if (contains(word, "blacklist=") && contains(word, kModule)) return "/proc/cmdline";
  }
  return "";
}

/// The alias by which the kernel finds a module for a PCI device of Intel's.
std::string alias_of(int64_t device) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string digits;
  for (int shift = 28; shift >= 0; shift -= 4) digits += kDigits[(device >> shift) & 15];
  return "pci:v00008086d" + digits + "sv";
}

void read_aliases(const MachineView& view, const PciNpu& npu, KernelFacts& facts) {
  const FileText file = read_probed_file(
      view.root / "lib/modules" / facts.release / "modules.alias", limits::kProbedTableBytesMax);
  facts.aliases = file.reading;
  const std::string alias = alias_of(npu.device);
  for (const std::string_view line : lines_of(file.text)) {
    if (!line.ends_with(kModule)) continue;
    facts.module_is_installed = true;
    if (contains(line, alias)) facts.module_knows_device = true;
  }
}

/// The kernel's messages: from the kernel itself where it lets us, else as some program kept them.
FileText read_kernel_log(const MachineView& view) {
  FileText log;
  if (view.is_this_machine()) {
    const int bytes = ::klogctl(kMessagesBufferSize, nullptr, 0);
    if (bytes > 0) {
      log.text.resize(std::min<size_t>(static_cast<size_t>(bytes), limits::kProbedLogBytesMax));
      const int read =
          ::klogctl(kReadAllMessages, log.text.data(), static_cast<int>(log.text.size()));
      log.text.resize(static_cast<size_t>(std::max(read, 0)));
      log.reading = read >= 0 ? Reading::kRead : Reading::kDenied;
    } else {
      log.reading = Reading::kDenied;
    }
    if (log.reading == Reading::kRead) return log;
  }
  for (const char* name : {"var/log/kern.log", "var/log/dmesg"}) {
    FileText file = read_end(view.root / name, limits::kProbedLogBytesMax);
    if (file.reading == Reading::kRead) return file;
    if (file.reading != Reading::kMissing) log.reading = file.reading;
  }
  return log;
}

}  // namespace

PciFacts read_pci(const MachineView& view) {
  const fs::path devices = view.root / "sys/bus/pci/devices";
  const DirectoryNames list = list_directory(devices);
  PciFacts facts{.reading = list.reading};
  for (const std::string& address : list.names) {
    const FileText file =
        read_probed_file(devices / address / "uevent", limits::kProbedFileBytesMax);
    const std::string_view id = value_of(file.text, "PCI_ID", '=');
    if (id.size() != 9 || id.substr(0, 5) != "8086:") continue;
    const int64_t device = number_in(id.substr(5), 16);
    if (device < 0) continue;
    // Class 0x12: processing accelerator. One of Intel's may be an NPU that is newer than our
    // table.
    const int64_t device_class = number_in(value_of(file.text, "PCI_CLASS", '='), 16);
    if (!npu_of_device(device) && device_class >> 8 != 0x1200) continue;
    facts.npus.push_back({.address = address,
                          .device = device,
                          .driver = std::string(value_of(file.text, "DRIVER", '='))});
  }
  return facts;
}

KernelFacts read_kernel(const MachineView& view, const PciFacts& pci) {
  KernelFacts facts{.release = trimmed_file(view.root / "proc/sys/kernel/osrelease")};
  const std::vector<std::string_view> numbers = words_of(facts.release, ".-+~ ");
  if (numbers.size() >= 2) {
    facts.major = number_in(numbers[0]);
    facts.minor = number_in(numbers[1]);
  }
  const bool is_name = !facts.release.empty() && facts.release.size() < 256 &&
                       !contains(facts.release, "/") && !facts.release.starts_with(".");
  if (!is_name) facts.release.clear();
  std::error_code error;
  facts.has_module = fs::exists(view.root / "sys/module" / kModule, error);
  if (!facts.has_module) {
    const FileText modules =
        read_probed_file(view.root / "proc/modules", limits::kProbedFileBytesMax);
    for (const std::string_view line : lines_of(modules.text)) {
      const std::vector<std::string_view> words = words_of(line);
      if (!words.empty() && words[0] == kModule) facts.has_module = true;
    }
  }
  if (pci.npus.empty()) return facts;
  if (is_name) read_aliases(view, pci.npus.front(), facts);
  if (!facts.has_module) facts.blacklisted_in = find_blacklist(view);
  return facts;
}

FirmwareFacts read_firmware(const MachineView& view, const PciFacts& pci) {
  FirmwareFacts facts;
  if (pci.npus.empty()) return facts;
  for (const char* folder : {"lib/firmware/updates/intel/vpu", "lib/firmware/intel/vpu",
                             "usr/lib/firmware/updates/intel/vpu", "usr/lib/firmware/intel/vpu"}) {
    for (const std::string& name : list_directory(view.root / folder).names) {
      if (contains(name, "vpu_")) facts.files.push_back("/" + std::string(folder) + "/" + name);
    }
  }
  const FileText log = read_kernel_log(view);
  facts.log = log.reading;
  for (const std::string_view line : lines_of(log.text)) {
    if (!contains(line, kModule)) continue;
    if (facts.messages.size() == limits::kProbedMessagesMax) {
      facts.messages.erase(facts.messages.begin());
    }
    facts.messages.emplace_back(line);
  }
  return facts;
}

}  // namespace ovenbird
