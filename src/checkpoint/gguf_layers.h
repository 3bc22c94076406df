// In what the layers of a model differ, as a GGUF says it: windows, unrotated layers, experts.
#pragma once

#include <string>

#include "checkpoint/family.h"
#include "checkpoint/gguf_metadata.h"
#include "checkpoint/model_config.h"

namespace ovenbird {

/// Fills `layer_facts`, the window and the numbers of experts; counts of layers and tokens are
/// known. `prefix` is "ARCHITECTURE.". Faults are left in `metadata`.
void read_gguf_layers(GgufMetadata& metadata, const std::string& prefix, const Family& family,
                      ModelConfig& config);

}  // namespace ovenbird
