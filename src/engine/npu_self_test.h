// Tries the NPU once: lists it, compiles two operations, lets it read and write pages of ours.
#pragma once

#include <functional>

#include "doctor/self_test.h"

namespace ovenbird {

/// Calls `at_step` before each step, with what is known until then and the step as the failed one.
/// Blocks as long as the driver does, and dies with it: call it in a process that may.
NpuAnswer try_npu(const std::function<void(const NpuAnswer&)>& at_step);

}  // namespace ovenbird
