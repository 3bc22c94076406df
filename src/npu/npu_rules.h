// What the NPU of each platform refuses in a graph. One table of rules, for the lint of bundles and
// for the emulated driver.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "npu/ir_graph.h"

namespace ovenbird {

/// The platforms that have rules, of those in base/npu_generation.h.
enum class NpuPlatform { k3720, k4000, k5010 };

inline constexpr std::array kNpuPlatforms = {NpuPlatform::k3720, NpuPlatform::k4000,
                                             NpuPlatform::k5010};

std::string name_of(NpuPlatform platform);        // "3720", "4000", "5010"
std::string processors_of(NpuPlatform platform);  // "Meteor Lake and Arrow Lake", ...

/// One reason why an NPU would not take a graph.
struct NpuRefusal {
  std::string layer;  // its friendly name, or "" where the whole graph is meant
  std::string why;    // what it is, and what an NPU takes instead; one line
};

enum class NpuRules { kAll, kOnWeights };

/// Every reason, in the graph's order; a reason that holds for many layers is given once, with the
/// first layer's name and how many there are. Empty: nothing is known that speaks against it.
/// The rules on weights alone hold for a model that is not yet of static shape, too.
std::vector<NpuRefusal> npu_refusals(const IrGraph& graph, NpuPlatform platform,
                                     NpuRules rules = NpuRules::kAll);

}  // namespace ovenbird
