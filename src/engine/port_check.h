// Whether a compiled graph is the one its manifest speaks of.
#pragma once

#include <openvino/runtime/compiled_model.hpp>

#include "bundle/manifest.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// Memory is laid out by the manifest and used by the graph, so every input and output must have
/// the name, type and shape that follow from `graph` and the manifest's model; an open dimension
/// must be open. Errors: kCorrupt, naming graph and port. Throws what OpenVINO throws.
Status check_ports(const ov::CompiledModel& model, const GraphInfo& graph,
                   const Manifest& manifest);

}  // namespace ovenbird
