// Which step graphs a bundle has, whatever its source.
#pragma once

#include <cstdint>
#include <vector>

#include "bundle/manifest.h"

namespace ovenbird {

/// The step graphs of a bundle, as the manifest will list them; inputs and outputs still empty.
/// `past` is P of the cached graphs; if it is large there is a second set with a shorter one.
std::vector<GraphInfo> planned_graphs(uint32_t past);

/// Positions that these graphs are given at most, but for the one of open past: how long their
/// rotary tables are.
uint32_t positions_of(uint32_t past);

}  // namespace ovenbird
