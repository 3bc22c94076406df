// Why a machine offers no NPU: the first thing that is missing, in the order a person can mend it.
#pragma once

#include <filesystem>
#include <string>

namespace ovenbird {

/// One line: doctor's first problem, and how to mend it. OpenVINO is not asked: files are looked
/// at, those of the OpenVINO that this program is linked with among them. `root` is prepended to
/// the others' paths: a test can show it a machine. Never waits.
std::string why_no_npu(const std::filesystem::path& root = "/");

}  // namespace ovenbird
