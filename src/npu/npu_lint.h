// What the Intel NPU of each platform would say to a bundle: no NPU is needed to ask.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "bundle/bundle.h"
#include "npu/npu_rules.h"

namespace ovenbird {

/// What the NPUs say to one graph.
struct GraphVerdict {
  std::string file;
  /// False: the manifest has it open, for CPU and GPU. No NPU will see it, so nothing is wrong.
  bool is_for_npu = true;
  std::array<std::vector<NpuRefusal>, kNpuPlatforms.size()> refusals;  // as kNpuPlatforms

  bool is_taken_on(size_t platform) const { return is_for_npu && refusals[platform].empty(); }
};

struct NpuFinding {
  enum class Kind {
    kRefused,  // the NPU's compiler does not take it
    kRisk,     // it is taken, with a cost or a fault known from the field
    kNotUsed,  // for CPU and GPU only
  };
  Kind kind;
  std::string subject;  // a graph's file, or the weights: "layers i4"
  std::string message;  // one line: what it is, and what to bake instead
};

const char* name_of(NpuFinding::Kind kind);  // "refused", "risk", "not used"

struct NpuLint {
  std::vector<GraphVerdict> graphs;  // one for each of the manifest's, in its order
  /// The same in words, a graph's reason once for all platforms that have it; then what the
  /// manifest says about weights and cache.
  std::vector<NpuFinding> findings;

  bool is_taken_on(
      size_t platform) const;  // every graph that is meant for an NPU, and there is one
};

/// `xml` is the graph's IR. One that cannot be read is refused on every platform.
GraphVerdict judge_graph(const GraphInfo& graph, std::string_view xml);

/// Reads every graph of the bundle: 5 ms for a megabyte.
NpuLint npu_lint(const Bundle& bundle);

/// "3720", "3720 4000 5010": the platforms for which `holds(index)` is true.
template <typename Condition>
std::string platforms_where(const Condition& holds) {
  std::string text;
  for (size_t index = 0; index < kNpuPlatforms.size(); ++index) {
    if (holds(index)) text += (text.empty() ? "" : " ") + name_of(kNpuPlatforms[index]);
  }
  return text;
}

}  // namespace ovenbird
