// Why a machine offers no NPU: the first thing that is missing, in the order a person can mend it.
#pragma once

#include <filesystem>
#include <string>

namespace ovenbird {

/// One line: doctor's first problem, and how to mend it. OpenVINO is not asked. Takes about 1.5 ms
/// where there is no NPU. `root` is prepended to the paths looked at: a test can show it a machine.
std::string why_no_npu(const std::filesystem::path& root = "/");

}  // namespace ovenbird
