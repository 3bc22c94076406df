// Looks at device nodes and at the driver's library; OpenVINO is not asked.
#include "engine/npu_probe.h"

#include <dlfcn.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <system_error>

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

/// The group that owns a device node, by name if it has one.
std::string group_of(const fs::path& node) {
  struct stat facts;
  if (::stat(node.c_str(), &facts) != 0) return "?";
  const group* entry = ::getgrgid(facts.st_gid);
  return entry ? entry->gr_name : std::to_string(facts.st_gid);
}

}  // namespace

std::string why_no_npu(const fs::path& root) {
  std::error_code ignored;
  fs::path node;
  for (fs::directory_iterator entry(root / "dev/accel", ignored), end; !ignored && entry != end;
       entry.increment(ignored)) {
    if (entry->path().filename().string().starts_with("accel")) node = entry->path();
  }
  if (node.empty()) {
    return "no device: there is no /dev/accel/accel*; this machine has no NPU, or its kernel lacks "
           "the intel_vpu driver";
  }
  if (::access(node.c_str(), R_OK | W_OK) != 0) {
    const std::string group = group_of(node);
    return "no permission: " + node.string() + " belongs to group " + group +
           "; run: sudo usermod -aG " + group + " $USER, and log in again";
  }
  void* loader = ::dlopen("libze_loader.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (!loader) {
    return "no driver: libze_loader.so.1 is not found; install Intel's NPU driver (level-zero and "
           "intel-level-zero-npu)";
  }
  ::dlclose(loader);
  return "OpenVINO does not list it though device and loader are there; the driver may be too old";
}

}  // namespace ovenbird
