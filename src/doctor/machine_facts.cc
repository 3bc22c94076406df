// The processor, the memory limit, and what the machine runs in; and all facts together.
#include "doctor/machine_facts.h"

#include <array>
#include <utility>

#include "base/limits.h"
#include "doctor/text_parts.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

/// The first processor's part of /proc/cpuinfo; the kernel takes its time for all of them.
constexpr size_t kFirstProcessorBytes = 1 << 14;

bool has_word(std::string_view words, std::string_view word) {
  for (const std::string_view one : words_of(words)) {
    if (one == word) return true;
  }
  return false;
}

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

std::string container_of(const MachineView& view) {
  if (is_there(view.root / ".dockerenv")) return "docker";
  if (is_there(view.root / "run/.containerenv")) return "podman";
  const FileText named =
      read_probed_file(view.root / "run/systemd/container", limits::kProbedFileBytesMax);
  if (!trimmed(named.text).empty()) return std::string(trimmed(named.text));
  const FileText groups =
      read_probed_file(view.root / "proc/1/cgroup", limits::kProbedFileBytesMax);
  for (const auto& [part, name] : {std::pair{"kubepods", "kubernetes"},
                                   {"docker", "docker"},
                                   {"libpod", "podman"},
                                   {"containerd", "containerd"},
                                   {"/lxc", "lxc"}}) {
    if (groups.text.find(part) != std::string::npos) return name;
  }
  return "";
}

Distribution distribution_of(const MachineView& view) {
  const FileText release =
      read_probed_file(view.root / "etc/os-release", limits::kProbedFileBytesMax);
  std::string ids;
  for (const char* key : {"ID", "ID_LIKE"}) {
    for (const char letter : value_of(release.text, key, '=')) ids += letter == '"' ? ' ' : letter;
    ids += ' ';
  }
  for (const auto& [id, distribution] : {std::pair{"debian", Distribution::kDebian},
                                         {"ubuntu", Distribution::kDebian},
                                         {"fedora", Distribution::kFedora},
                                         {"rhel", Distribution::kFedora},
                                         {"arch", Distribution::kArch}}) {
    if (has_word(ids, id)) return distribution;
  }
  return Distribution::kOther;
}

}  // namespace

CpuFacts read_cpu(const MachineView& view) {
  const FileText file = read_beginning(view.root / "proc/cpuinfo", kFirstProcessorBytes);
  return {.reading = file.reading,
          .vendor = std::string(value_of(file.text, "vendor_id", ':')),
          .name = std::string(value_of(file.text, "model name", ':')),
          .family = number_in(value_of(file.text, "cpu family", ':')),
          .model = number_in(value_of(file.text, "model", ':')),
          .is_virtual = has_word(value_of(file.text, "flags", ':'), "hypervisor")};
}

MemlockFacts read_memlock(const MachineView& view) {
  const FileText file =
      read_probed_file(view.root / "proc/self/limits", limits::kProbedFileBytesMax);
  MemlockFacts facts{.reading = file.reading};
  if (file.reading != Reading::kRead) return facts;
  constexpr std::string_view kName = "Max locked memory";
  for (const std::string_view line : lines_of(file.text)) {
    if (!line.starts_with(kName)) continue;
    const std::vector<std::string_view> words = words_of(line.substr(kName.size()));
    if (!words.empty() && words[0] == "unlimited") return facts;
    const int64_t bytes = words.empty() ? -1 : number_in(words[0]);
    if (bytes < 0) break;
    facts.bytes = static_cast<uint64_t>(bytes);
    return facts;
  }
  facts.reading = Reading::kUnreadable;
  return facts;
}

SurroundingsFacts read_surroundings(const MachineView& view) {
  const FileText version =
      read_probed_file(view.root / "proc/version", limits::kProbedFileBytesMax);
  const bool is_wsl = version.text.find("microsoft") != std::string::npos ||
                      version.text.find("Microsoft") != std::string::npos;
  return {.container = container_of(view), .is_wsl = is_wsl, .distribution = distribution_of(view)};
}

MachineFacts read_machine_facts(const MachineView& view) {
  MachineFacts facts;
  facts.cpu = read_cpu(view);
  facts.pci = read_pci(view);
  facts.kernel = read_kernel(view, facts.pci);
  facts.user = read_user(view);
  facts.accel = read_accel(view, facts.user);
  facts.firmware = read_firmware(view, facts.pci);
  facts.libraries = read_libraries(view);
  facts.openvino = read_openvino(view);
  facts.memlock = read_memlock(view);
  facts.surroundings = read_surroundings(view);
  return facts;
}

}  // namespace ovenbird
