// NPU, then GPU, then CPU.
#include "base/device_order.h"

#include <algorithm>

namespace ovenbird {

Result<std::vector<std::string>> devices_from(const std::string& device) {
  const std::vector<std::string> all = {"NPU", "GPU", "CPU"};
  if (device == "auto") return all;
  const auto first = std::find(all.begin(), all.end(), device);
  if (first == all.end()) {
    return fail(Code::kInvalidArgument, "device " + device + ": it may be NPU, GPU, CPU or auto");
  }
  return std::vector<std::string>(first, all.end());
}

}  // namespace ovenbird
