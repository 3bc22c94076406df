// The last line of defence: what was built for an NPU is something that every NPU takes.
#pragma once

#include <string>
#include <string_view>

#include "npu/ir_graph.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// Asks the rules of every platform about a static graph that is about to be written. `xml` is its
/// IR, `file` its name. Errors: kInvalidArgument, naming graph, platform, reason and the flag that
/// helps; kInternal (the IR cannot be read).
Status check_for_npu(const std::string& file, std::string_view xml);

/// The same, of a graph that static ones will be made of: its weights only. Errors:
/// kInvalidArgument.
Status check_weights_for_npu(const std::string& file, const IrGraph& graph);

}  // namespace ovenbird
