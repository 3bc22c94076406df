// Trying the NPU in a process of its own: it may crash or hang, and what it says is not believed
// before it is understood.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "doctor/self_test.h"

namespace ovenbird {

/// What `ovenbird-engine` is asked to do. Not a command for people: nothing watches over it then.
inline constexpr std::string_view kSelfTestWord = "npu-self-test";

/// Runs `engine npu-self-test` and waits at most `time_max` for its answer, then kills it. The last
/// line of its output counts: it writes one before each step, so that one knows where it died.
/// Neither its output nor its errors reach ours.
SelfTest run_self_test(const std::filesystem::path& engine,
                       std::chrono::milliseconds time_max = limits::kSelfTestTimeMax);

/// The answer as one line of JSON, as that process writes it.
std::string to_json(const NpuAnswer& answer);

}  // namespace ovenbird
