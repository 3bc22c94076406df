// What the environment asks for, read once. The README lists the variables.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "npu/npu_rules.h"

namespace npu_emulator {

enum class FaultKind {
  // at the n-th execution
  kDeviceLost,
  kDeviceReset,
  kJobError,
  kRunOutOfMemory,
  kGarbage,
  kZeros,
  kSlow,
  kHang,
  kCrash,
  kSegfault,
  // at the n-th submission, allocation, compile, import of a blob
  kSubmitFailure,
  kAllocationOutOfMemory,
  kCompileFailure,
  kCompileOutOfMemory,
  kForeignBlob,
};

const char* name_of(FaultKind kind);  // as FAULT writes it: "device-lost"

struct FaultSpec {
  FaultKind kind;
  std::chrono::milliseconds delay{0};
  uint64_t first = 1;  // call at which it happens, counted from 1
  uint64_t last = 1;   // and until which one

  bool operator==(const FaultSpec&) const = default;
};

enum class Backend { kCpu, kEcho };

struct Settings {
  ovenbird::NpuPlatform platform = ovenbird::NpuPlatform::k4000;
  uint32_t driver_version = 1760000000;
  bool strict_rules = true;
  bool half_arithmetic = false;
  Backend backend = Backend::kCpu;
  uint32_t threads = 0;  // 0: the CPU plugin's choice
  bool imports_memory = true;
  std::optional<uint64_t> memory_bytes;
  std::chrono::milliseconds compile_time{0};
  std::vector<FaultSpec> faults;
  std::string trace;  // a file, "-" for standard error, "" for none
  bool trace_writes = false;
};

/// A setting that is not understood, in one line.
struct SettingsError {
  std::string message;
};

/// Values by their names behind "NPU_EMULATOR_". An empty value is as good as none.
using Variables = std::map<std::string, std::string>;

std::variant<Settings, SettingsError> read_settings(const Variables& variables);

/// The process's settings. Ends the process, with one line, if a variable is not understood.
const Settings& settings();

}  // namespace npu_emulator
