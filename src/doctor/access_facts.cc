// Who may open the NPU's node: its group and mode, this user's groups.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/limits.h"
#include "doctor/machine_facts.h"
#include "doctor/text_parts.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kDacOverride = 1 << 1;  // bits of CapEff: capabilities(7)
constexpr uint64_t kIpcLock = 1 << 14;

/// Fields of a line of /etc/passwd or /etc/group, which may be empty.
std::vector<std::string_view> fields_of(std::string_view line, char separator) {
  std::vector<std::string_view> fields;
  for (size_t at = 0; at <= line.size();) {
    const size_t end = std::min(line.find(separator, at), line.size());
    fields.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  return fields;
}

std::string group_name(const MachineView& view, uint32_t group) {
  const FileText file = read_probed_file(view.root / "etc/group", limits::kProbedFileBytesMax);
  for (const std::string_view line : lines_of(file.text)) {
    const std::vector<std::string_view> fields = fields_of(line, ':');
    if (fields.size() >= 3 && number_in(fields[2]) == group) return std::string(fields[0]);
  }
  return std::to_string(group);
}

std::string user_name(const MachineView& view, uint32_t user) {
  const FileText file = read_probed_file(view.root / "etc/passwd", limits::kProbedFileBytesMax);
  for (const std::string_view line : lines_of(file.text)) {
    const std::vector<std::string_view> fields = fields_of(line, ':');
    if (fields.size() >= 3 && number_in(fields[2]) == user) return std::string(fields[0]);
  }
  return "";
}

std::vector<uint32_t> enlisted_groups(const MachineView& view, const std::string& user) {
  std::vector<uint32_t> groups;
  const FileText file = read_probed_file(view.root / "etc/group", limits::kProbedFileBytesMax);
  for (const std::string_view line : lines_of(file.text)) {
    const std::vector<std::string_view> fields = fields_of(line, ':');
    if (user.empty() || fields.size() < 4) continue;
    const std::vector<std::string_view> members = fields_of(fields[3], ',');
    const int64_t group = number_in(fields[2]);
    if (group >= 0 && std::find(members.begin(), members.end(), user) != members.end()) {
      groups.push_back(static_cast<uint32_t>(group));
    }
  }
  return groups;
}

bool has(const std::vector<uint32_t>& groups, uint32_t group) {
  return std::find(groups.begin(), groups.end(), group) != groups.end();
}

/// As the kernel decides it, by the first of owner, group and others that the user is.
bool mode_lets(const NodeFacts& node, const UserFacts& user) {
  if (user.reading != Reading::kRead) return false;
  if (user.ignores_modes) return true;
  const uint32_t shift = node.user == user.user ? 6 : has(user.groups, node.group) ? 3 : 0;
  return (node.mode >> shift & 6) == 6;
}

/// Whether another driver than the Intel NPU's made the node: other accelerators have such too.
bool is_foreign(const MachineView& view, const std::string& name) {
  const FileText file = read_probed_file(view.root / "sys/class/accel" / name / "device/uevent",
                                         limits::kProbedFileBytesMax);
  const std::string_view driver = value_of(file.text, "DRIVER", '=');
  return !driver.empty() && driver != "intel_vpu";
}

}  // namespace

UserFacts read_user(const MachineView& view) {
  const FileText file =
      read_probed_file(view.root / "proc/self/status", limits::kProbedFileBytesMax);
  UserFacts facts{.reading = file.reading};
  // Real, effective, saved, file system: the last one opens files.
  const std::vector<std::string_view> users = words_of(value_of(file.text, "Uid", ':'));
  const std::vector<std::string_view> groups = words_of(value_of(file.text, "Gid", ':'));
  if (users.size() != 4 || groups.size() != 4 || number_in(users[3]) < 0) {
    if (facts.reading == Reading::kRead) facts.reading = Reading::kUnreadable;
    return facts;
  }
  facts.user = static_cast<uint32_t>(number_in(users[3]));
  facts.name = user_name(view, facts.user);
  std::vector<std::string_view> all = words_of(value_of(file.text, "Groups", ':'));
  all.push_back(groups[3]);
  for (const std::string_view word : all) {
    if (number_in(word) >= 0) facts.groups.push_back(static_cast<uint32_t>(number_in(word)));
  }
  facts.enlisted = enlisted_groups(view, facts.name);
  const int64_t capabilities = number_in(value_of(file.text, "CapEff", ':'), 16);
  facts.ignores_modes = capabilities > 0 && (capabilities & kDacOverride) != 0;
  facts.may_lock_all = capabilities > 0 && (capabilities & kIpcLock) != 0;
  return facts;
}

AccelFacts read_accel(const MachineView& view, const UserFacts& user) {
  const fs::path folder = view.root / "dev/accel";
  const DirectoryNames list = list_directory(folder);
  AccelFacts accel{.reading = list.reading};
  for (const std::string& name : list.names) {
    struct stat facts;
    if (!name.starts_with("accel") || is_foreign(view, name)) continue;
    if (::stat((folder / name).c_str(), &facts) != 0) continue;
    NodeFacts node{.path = "/dev/accel/" + name,
                   .user = facts.st_uid,
                   .group = facts.st_gid,
                   .group_name = group_name(view, facts.st_gid),
                   .mode = facts.st_mode & 0777};
    // Here, access lists may allow what the mode does not.
    node.may_open = view.is_this_machine() ? ::access((folder / name).c_str(), R_OK | W_OK) == 0
                                           : mode_lets(node, user);
    accel.nodes.push_back(std::move(node));
  }
  return accel;
}

}  // namespace ovenbird
