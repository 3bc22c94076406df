// The Core, and reading exceptions.
#include "engine/openvino_core.h"

#include <algorithm>
#include <new>
#include <openvino/runtime/properties.hpp>
#include <string_view>
#include <vector>

namespace ovenbird {

ov::Core& openvino_core() {
  static ov::Core the_core;
  return the_core;
}

bool offers(const std::string& device) {
  const std::vector<std::string> devices = openvino_core().get_available_devices();
  return std::any_of(devices.begin(), devices.end(), [&](const std::string& name) {
    return name == device || name.starts_with(device + ".");
  });
}

bool knows_property(const std::string& device, const std::string& name) {
  const auto known = openvino_core().get_property(device, ov::supported_properties);
  return std::find(known.begin(), known.end(), name) != known.end();
}

constexpr size_t kWordsBytesMax = 300;

std::string words_of(const std::exception& thrown) {
  std::string text = thrown.what();
  std::string line;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string part = text.substr(at, end - at);
    at = end + 1;
    // "Exception from src/...:" and "Check '...' failed at ..." say where, not what.
    if (part.empty() || part.starts_with("Exception from") || part.starts_with("Check '")) continue;
    line += (line.empty() ? "" : "; ") + part;
    if (line.size() > kWordsBytesMax) break;
  }
  if (line.empty()) line = text.substr(0, text.find('\n'));
  return line.size() <= kWordsBytesMax ? line : line.substr(0, kWordsBytesMax) + "...";
}

Code code_of(const std::exception& thrown, Code otherwise) {
  if (dynamic_cast<const std::bad_alloc*>(&thrown)) return Code::kOutOfMemory;
  // The plugin keeps the driver's result code in its message and nowhere else.
  const std::string_view text = thrown.what();
  const auto says = [&](std::string_view word) { return text.find(word) != text.npos; };
  if (says("ZE_RESULT_ERROR_DEVICE_LOST")) return Code::kDeviceLost;
  if (says("ZE_RESULT_ERROR_OUT_OF_"))
    return Code::kOutOfMemory;  // ..._HOST_ and ..._DEVICE_MEMORY
  return otherwise;
}

}  // namespace ovenbird
