// The table of faults, and its products.
#include "fault_cases.h"

namespace ovenbird {
namespace {

// Graphs come from the bundle's cache: one is compiled where its blob was refused.
constexpr const char* kNoBlobs = "foreign-blob@*,";
constexpr uint64_t kCallsOfRecovery = 3;  // the first ones of the second worker
// A worker that takes over makes fewer calls: a later one may not come again in three of them.
constexpr uint64_t kComesAgain = 4;

std::string at(const FaultKind& kind, uint64_t call, const char* onwards = "") {
  return kind.before + kind.name + "@" + std::to_string(call) + onwards;
}

}  // namespace

const std::vector<FaultKind>& fault_kinds() {
  static const std::vector<FaultKind> kinds{
      {"device-lost", "execute", "", "NPU", "CPU"},
      {"device-reset", "execute", "", "NPU", "CPU"},
      {"device-reset=30", "execute", "", "NPU", "CPU"},
      {"job-error", "execute", "", "NPU", "CPU"},
      {"run-oom", "execute", "", "CPU", "CPU"},
      {"garbage", "execute", "", "NPU", "CPU"},
      {"zeros", "execute", "", "NPU", "CPU"},
      {"slow=200", "execute", "", "NPU", "NPU"},
      {"slow=3000", "execute", "", "NPU", ""},
      {"hang", "execute", "", "NPU", "CPU"},
      {"crash", "execute", "", "NPU", "CPU"},
      {"segfault", "execute", "", "NPU", "CPU"},
      {"submit-failure", "submit", "", "NPU", "CPU"},
      {"alloc-oom", "import", "", "NPU", "CPU"},
      {"compile-failure", "blob_import", kNoBlobs, "CPU", "CPU"},
      {"compile-oom", "blob_import", kNoBlobs, "NPU", "CPU"},
      {"foreign-blob", "blob_import", "", "NPU", "NPU"}};
  return kinds;
}

std::string FaultCase::name() const {
  std::string name;
  for (const std::string& of_one : faults) name += (name.empty() ? "" : " then ") + of_one;
  return name;
}

std::vector<FaultCase> once(const std::vector<FaultKind>& kinds, uint64_t call) {
  std::vector<FaultCase> cases;
  for (const FaultKind& kind : kinds)
    cases.push_back({kind, call, {at(kind, call), ""}, kind.once_on});
  return cases;
}

std::vector<FaultCase> for_ever(const std::vector<FaultKind>& kinds, uint64_t call) {
  std::vector<FaultCase> cases;
  for (const FaultKind& kind : kinds) {
    cases.push_back({kind, call, {at(kind, call, "+")}, call <= kComesAgain ? kind.ever_on : ""});
  }
  return cases;
}

std::vector<FaultCase> while_recovering(const std::vector<FaultKind>& kinds, uint64_t call) {
  // An error, an end without a word, and rows that nobody can trust.
  const std::vector<FaultKind> first_kinds{

      {"device-lost", "execute"}, {"segfault", "execute"}, {"garbage", "execute"}};
  std::vector<FaultCase> cases;
  for (const FaultKind& first : first_kinds) {
    for (const FaultKind& second : kinds) {
      for (uint64_t later = 1; later <= kCallsOfRecovery; ++later) {
        cases.push_back({first, call, {at(first, call), at(second, later), ""}});
      }
    }
  }
  return cases;
}

}  // namespace ovenbird
