// What an Intel NPU would say to a bundle, told from its manifest alone: no NPU is needed to ask.
#pragma once

#include <string>
#include <vector>

#include "bundle/manifest.h"

namespace ovenbird {

struct NpuFinding {
  enum class Kind {
    kRefused,  // the NPU's compiler does not take it: no graph runs there
    kRisk,     // it is taken, with a cost or a fault known from the field
    kNotUsed,  // for CPU and GPU only; the NPU never sees it, so nothing is wrong
  };
  Kind kind;
  std::string subject;  // a graph's file, or the weights: "layers i4"
  std::string message;  // one line: what it is, and what to bake instead
};

const char* name_of(NpuFinding::Kind kind);  // "refused", "risk", "not used"

/// Every finding, in the manifest's order: graphs, then weights, then the cache. Empty: nothing to
/// say. The rules are those of OpenVINO 2026.4's NPU plugin, whose compiler wants static shapes and
/// symmetric INT4 in groups of 128 or in whole rows.
std::vector<NpuFinding> npu_lint(const Manifest& manifest);

}  // namespace ovenbird
