// Settings: every variable with its values comes through; every other value is refused in one line
// that names variable and value, and ends a process that has it.
#include "src/settings.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "driver.h"
#include "own_process.h"

namespace npu_emulator {
namespace {

using ovenbird::NpuPlatform;
using std::chrono::milliseconds;

Settings taken(const Variables& variables) {
  auto result = read_settings(variables);
  if (const auto* error = std::get_if<SettingsError>(&result)) FAIL(error->message);
  return std::get<Settings>(result);
}

std::string refused(const Variables& variables) {
  const auto result = read_settings(variables);
  const auto* error = std::get_if<SettingsError>(&result);
  return error ? error->message : "";
}

TEST_CASE("without variables all is as the README says") {
  const Settings settings = taken({});
  CHECK(settings.platform == NpuPlatform::k4000);
  CHECK(settings.driver_version == 1760000000);
  CHECK(settings.strict_rules);
  CHECK_FALSE(settings.half_arithmetic);
  CHECK(settings.backend == Backend::kCpu);
  CHECK(settings.threads == 0);
  CHECK(settings.imports_memory);
  CHECK_FALSE(settings.memory_bytes.has_value());
  CHECK(settings.compile_time == milliseconds(0));
  CHECK(settings.faults.empty());
  CHECK(settings.trace.empty());
  CHECK_FALSE(settings.trace_writes);
}

TEST_CASE("each value that a variable may have") {
  CHECK(taken({{"PLATFORM", "3720"}}).platform == NpuPlatform::k3720);
  CHECK(taken({{"PLATFORM", "4000"}}).platform == NpuPlatform::k4000);
  CHECK(taken({{"PLATFORM", "5010"}}).platform == NpuPlatform::k5010);
  CHECK(taken({{"RULES", "strict"}}).strict_rules);
  CHECK_FALSE(taken({{"RULES", "none"}}).strict_rules);
  CHECK(taken({{"ARITHMETIC", "f16"}}).half_arithmetic);
  CHECK_FALSE(taken({{"ARITHMETIC", "f32"}}).half_arithmetic);
  CHECK(taken({{"BACKEND", "echo"}}).backend == Backend::kEcho);
  CHECK(taken({{"BACKEND", "cpu"}}).backend == Backend::kCpu);
  CHECK_FALSE(taken({{"IMPORT", "no"}}).imports_memory);
  CHECK(taken({{"IMPORT", "yes"}}).imports_memory);
  CHECK(taken({{"TRACE_WRITES", "yes"}}).trace_writes);
  CHECK_FALSE(taken({{"TRACE_WRITES", "no"}}).trace_writes);
  CHECK(taken({{"TRACE", "-"}}).trace == "-");
  CHECK(taken({{"TRACE", "a file"}}).trace == "a file");
}

TEST_CASE("each number at both ends of its range") {
  CHECK(taken({{"DRIVER_VERSION", "0"}}).driver_version == 0);
  CHECK(taken({{"DRIVER_VERSION", "4294967295"}}).driver_version == 4294967295);
  CHECK(refused({{"DRIVER_VERSION", "4294967296"}}) != "");
  CHECK(taken({{"THREADS", "1"}}).threads == 1);
  CHECK(taken({{"THREADS", "1024"}}).threads == 1024);
  CHECK(refused({{"THREADS", "1025"}}) != "");
  CHECK(taken({{"MEMORY_MIB", "0"}}).memory_bytes == uint64_t{0});
  CHECK(taken({{"MEMORY_MIB", "16777216"}}).memory_bytes == uint64_t{1} << 44);
  CHECK(refused({{"MEMORY_MIB", "16777217"}}) != "");
  CHECK(taken({{"COMPILE_MS", "0"}}).compile_time == milliseconds(0));
  CHECK(taken({{"COMPILE_MS", "1000000"}}).compile_time == milliseconds(1'000'000));
  CHECK(refused({{"COMPILE_MS", "1000001"}}) != "");
}

TEST_CASE("every kind of fault, and when") {
  constexpr uint64_t kAlways = UINT64_MAX;
  const auto one = [](const std::string& text) {
    const std::vector<FaultSpec> faults = taken({{"FAULT", text}}).faults;
    REQUIRE(faults.size() == 1);
    return faults[0];
  };
  for (const char* name : {"device-lost", "device-reset", "job-error", "run-oom", "garbage",
                           "zeros", "hang", "crash", "segfault", "submit-failure", "alloc-oom",
                           "compile-failure", "compile-oom", "foreign-blob"}) {
    const FaultSpec fault = one(std::string(name) + "@3");
    CHECK(std::string(name_of(fault.kind)) == name);
    CHECK(fault == FaultSpec{.kind = fault.kind, .first = 3, .last = 3});
    CHECK(one(std::string(name) + "@3+") ==
          FaultSpec{.kind = fault.kind, .first = 3, .last = kAlways});
    CHECK(one(std::string(name) + "@*") ==
          FaultSpec{.kind = fault.kind, .first = 1, .last = kAlways});
  }
  CHECK(one("slow=20@1") == FaultSpec{.kind = FaultKind::kSlow, .delay = milliseconds(20)});
  CHECK(one("device-reset=7@1") ==
        FaultSpec{.kind = FaultKind::kDeviceReset, .delay = milliseconds(7)});
  CHECK(one("garbage@18446744073709551614").first == kAlways - 1);
  const auto two = taken({{"FAULT", "slow=0@*,hang@9"}}).faults;
  REQUIRE(two.size() == 2);
  CHECK(two[0] == FaultSpec{.kind = FaultKind::kSlow, .last = kAlways});
  CHECK(two[1] == FaultSpec{.kind = FaultKind::kHang, .first = 9, .last = 9});
}

/// Variables with a value that none of them may have.
const std::vector<std::pair<const char*, const char*>>& wrong_values() {
  static const std::vector<std::pair<const char*, const char*>> values = {
      {"PLATFORM", "3700"},
      {"PLATFORM", "NPU"},
      {"RULES", "Strict"},
      {"ARITHMETIC", "f64"},
      {"BACKEND", "gpu"},
      {"IMPORT", "1"},
      {"TRACE_WRITES", "true"},
      {"DRIVER_VERSION", "-1"},
      {"DRIVER_VERSION", "0x10"},
      {"THREADS", "two"},
      {"MEMORY_MIB", "4 "},
      {"MEMORY_MIB", "99999999999999999999999"},
      {"COMPILE_MS", "1.5"},
      {"FAULT", "hang"},
      {"FAULT", "hang@"},
      {"FAULT", "@1"},
      {"FAULT", "hang@0"},
      {"FAULT", "hang@-1"},
      {"FAULT", "hang@+"},
      {"FAULT", "hang@1++"},
      {"FAULT", "hang@1-2"},
      {"FAULT", "hang@18446744073709551615"},
      {"FAULT", "hang @1"},
      {"FAULT", "Hang@1"},
      {"FAULT", "hangs@1"},
      {"FAULT", "hang@**"},
      {"FAULT", "hang=5@1"},
      {"FAULT", "slow@1"},
      {"FAULT", "slow=@1"},
      {"FAULT", "slow=1000001@1"},
      {"FAULT", "device-reset=x@1"},
      {"FAULT", ","},
      {"FAULT", "hang@1,"},
      {"FAULT", ",hang@1"},
      {"FAULT", "hang@1;zeros@2"},
      {"FAULT", "hang@1, zeros@2"},
      {"FAULTS", "hang@1"},
      {"fault", "hang@1"},
      {"", "hang@1"},
  };
  return values;
}

bool is_one_line(const std::string& text) {
  return std::none_of(text.begin(), text.end(), [](unsigned char byte) { return byte < ' '; });
}

TEST_CASE("whatever is not understood is refused by its name, in one line") {
  for (const auto& [name, value] : wrong_values()) {
    const std::string message = refused({{name, value}});
    CAPTURE(value);
    CAPTURE(message);
    CHECK(message.starts_with(std::string("NPU_EMULATOR_") + name + "="));
    CHECK(is_one_line(message));
  }
  CHECK(refused({{"FAULT", "zeros@1,hangs@2"}}).starts_with("NPU_EMULATOR_FAULT=hangs@2: "));
  CHECK(is_one_line(refused({{"PLATFORM", "3720\nall is well"}})));
}

TEST_CASE("an empty variable is as good as none") {
  for (const char* name :
       {"PLATFORM", "DRIVER_VERSION", "RULES", "ARITHMETIC", "BACKEND", "THREADS", "IMPORT",
        "MEMORY_MIB", "COMPILE_MS", "FAULT", "TRACE", "TRACE_WRITES"}) {
    CHECK(taken({{name, ""}}).driver_version == 1760000000);
  }
}

TEST_CASE("a wrong value ends a process with exit code 2 when it starts the driver") {
  const std::vector<std::pair<std::string, std::string>> wrong = {{"PLATFORM", "9999"},
                                                                  {"FAULT", "hangs@1"},
                                                                  {"FAULTS", "hang@1"},
                                                                  {"THREADS", "many"},
                                                                  {"TRACE", "/no/such/directory"}};
  for (const auto& [name, value] : wrong) {
    const OwnProcess process = run_own_process({{name, value}});
    if (process.is_here) {
      driver();  // does not come back
      FAIL("the driver has started");
    }
    if (!process.ended) continue;
    const std::string& output = process.ended->output;
    CAPTURE(output);
    CHECK(process.ended->exit_code == 2);
    const size_t line = output.find("npu_emulator: ");
    REQUIRE(line != std::string::npos);
    CHECK(output.find(value, line) != std::string::npos);
    CHECK(output.find('\n', line) == output.size() - 1);
  }
}

}  // namespace
}  // namespace npu_emulator
