// Parsing of environment variables: strict, since a misspelt fault would make a test pass.
#include "src/settings.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <set>

namespace npu_emulator {
namespace {

constexpr std::string_view kPrefix = "NPU_EMULATOR_";
constexpr uint64_t kForEver = std::numeric_limits<uint64_t>::max();

const std::map<std::string_view, FaultKind>& fault_names() {
  static const auto& names =
      *new std::map<std::string_view, FaultKind>{{"device-lost", FaultKind::kDeviceLost},
                                                 {"device-reset", FaultKind::kDeviceReset},
                                                 {"job-error", FaultKind::kJobError},
                                                 {"run-oom", FaultKind::kRunOutOfMemory},
                                                 {"garbage", FaultKind::kGarbage},
                                                 {"zeros", FaultKind::kZeros},
                                                 {"slow", FaultKind::kSlow},
                                                 {"hang", FaultKind::kHang},
                                                 {"crash", FaultKind::kCrash},
                                                 {"segfault", FaultKind::kSegfault},
                                                 {"submit-failure", FaultKind::kSubmitFailure},
                                                 {"alloc-oom", FaultKind::kAllocationOutOfMemory},
                                                 {"compile-failure", FaultKind::kCompileFailure},
                                                 {"compile-oom", FaultKind::kCompileOutOfMemory},
                                                 {"foreign-blob", FaultKind::kForeignBlob}};
  return names;
}

std::optional<uint64_t> number(std::string_view text, uint64_t max) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > max) return std::nullopt;
  return value;
}

/// "KIND@N", "KIND@N+", "KIND@*", each kind perhaps with "=MS".
std::optional<FaultSpec> read_fault(std::string_view text) {
  const size_t at = text.find('@');
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view name = text.substr(0, at);
  std::string_view when = text.substr(at + 1);
  FaultSpec fault{};
  if (const size_t equals = name.find('='); equals != std::string_view::npos) {
    const auto ms = number(name.substr(equals + 1), 1'000'000);
    name = name.substr(0, equals);
    if (!ms || (name != "slow" && name != "device-reset")) return std::nullopt;
    fault.delay = std::chrono::milliseconds(*ms);
  } else if (name == "slow") {
    return std::nullopt;
  }
  const auto kind = fault_names().find(name);
  if (kind == fault_names().end()) return std::nullopt;
  fault.kind = kind->second;
  if (when == "*") {
    fault.last = kForEver;
    return fault;
  }
  const bool onwards = when.ends_with('+');
  if (onwards) when.remove_suffix(1);
  const auto first = number(when, kForEver - 1);
  if (!first || *first == 0) return std::nullopt;
  fault.first = *first;
  fault.last = onwards ? kForEver : *first;
  return fault;
}

/// Reads variables into settings and remembers the first that it does not understand.
class Reader {
 public:
  explicit Reader(const Variables& variables) : variables_(variables) {}

  std::string text(const std::string& name) {
    known_.insert(name);
    const auto found = variables_.find(name);
    return found == variables_.end() ? "" : found->second;
  }

  template <typename T>
  void choice(const std::string& name, T& target, const std::map<std::string, T>& choices) {
    const std::string value = text(name);
    if (value.empty()) return;
    const auto found = choices.find(value);
    if (found != choices.end()) {
      target = found->second;
      return;
    }
    std::string listed;
    for (const auto& [word, ignored] : choices) listed += (listed.empty() ? "" : ", ") + word;
    refuse(name, value, "it may be " + listed);
  }

  std::optional<uint64_t> count(const std::string& name, uint64_t max) {
    const std::string value = text(name);
    if (value.empty()) return std::nullopt;
    const auto read = number(value, max);
    if (!read) refuse(name, value, "it may be a number up to " + std::to_string(max));
    return read;
  }

  void faults(const std::string& name, std::vector<FaultSpec>& faults) {
    const std::string value = text(name);
    for (size_t begin = 0; !value.empty() && begin <= value.size();) {
      const size_t comma = std::min(value.find(',', begin), value.size());
      const std::string one = value.substr(begin, comma - begin);
      const auto fault = read_fault(one);
      if (!fault) refuse(name, one, "it may be KIND@N, see the README");
      if (fault) faults.push_back(*fault);
      begin = comma + 1;
    }
  }

  /// To be called last: a misspelt variable must not pass for one that is not set.
  void refuse_unknown() {
    for (const auto& [name, value] : variables_) {
      if (!known_.contains(name)) refuse(name, value, "no such variable; the README lists them");
    }
  }

  const std::string& problem() const { return problem_; }

 private:
  void refuse(const std::string& name, const std::string& value, const std::string& why) {
    if (!problem_.empty()) return;
    problem_ = std::string(kPrefix) + name + "=" + value + ": " + why;
    std::replace_if(
        problem_.begin(), problem_.end(), [](unsigned char byte) { return byte < ' '; }, '?');
  }

  const Variables& variables_;
  std::set<std::string> known_;
  std::string problem_;
};

Variables from_environment() {
  Variables variables;
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (!text.starts_with(kPrefix) || equals == std::string_view::npos) continue;
    variables.emplace(text.substr(kPrefix.size(), equals - kPrefix.size()),
                      text.substr(equals + 1));
  }
  return variables;
}

}  // namespace

const char* name_of(FaultKind kind) {
  for (const auto& [name, known] : fault_names()) {
    if (known == kind) return name.data();
  }
  return "?";
}

std::variant<Settings, SettingsError> read_settings(const Variables& variables) {
  Reader reader(variables);
  Settings settings;
  std::map<std::string, ovenbird::NpuPlatform> platforms;
  for (const auto platform : ovenbird::kNpuPlatforms) platforms[name_of(platform)] = platform;
  const std::map<std::string, bool> yes_or_no{{"yes", true}, {"no", false}};
  reader.choice("PLATFORM", settings.platform, platforms);
  reader.choice("RULES", settings.strict_rules, {{"strict", true}, {"none", false}});
  reader.choice("ARITHMETIC", settings.half_arithmetic, {{"f32", false}, {"f16", true}});
  reader.choice("BACKEND", settings.backend, {{"cpu", Backend::kCpu}, {"echo", Backend::kEcho}});
  reader.choice("IMPORT", settings.imports_memory, yes_or_no);
  reader.choice("TRACE_WRITES", settings.trace_writes, yes_or_no);
  const auto version = reader.count("DRIVER_VERSION", 0xffffffff);
  settings.driver_version = static_cast<uint32_t>(version.value_or(settings.driver_version));
  settings.threads = static_cast<uint32_t>(reader.count("THREADS", 1024).value_or(0));
  if (const auto mib = reader.count("MEMORY_MIB", 1 << 24)) settings.memory_bytes = *mib << 20;
  settings.compile_time =
      std::chrono::milliseconds(reader.count("COMPILE_MS", 1'000'000).value_or(0));
  reader.faults("FAULT", settings.faults);
  settings.trace = reader.text("TRACE");
  reader.refuse_unknown();
  if (!reader.problem().empty()) return SettingsError{reader.problem()};
  return settings;
}

const Settings& settings() {
  static const Settings& the_settings = []() -> const Settings& {
    auto read = read_settings(from_environment());
    if (const auto* error = std::get_if<SettingsError>(&read)) {
      std::fprintf(stderr, "npu_emulator: %s\n", error->message.c_str());
      std::_Exit(2);
    }
    return *new Settings(std::get<Settings>(std::move(read)));  // outlives every thread
  }();
  return the_settings;
}

}  // namespace npu_emulator
