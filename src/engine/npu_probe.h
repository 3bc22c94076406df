// Why a machine offers no NPU: the first thing that is missing, in the order a person can mend it.
#pragma once

#include <filesystem>
#include <string>

namespace ovenbird {

/// One line: no device, no permission, no driver, or nothing visibly wrong. `root` is prepended to
/// the paths looked at, so that a test can show it a machine.
std::string why_no_npu(const std::filesystem::path& root = "/");

}  // namespace ovenbird
