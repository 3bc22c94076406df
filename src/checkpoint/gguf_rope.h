// Rotary embedding as a GGUF describes it: keys for most scalings, tensors of divisors for two.
#pragma once

#include <string>

#include "checkpoint/family.h"
#include "checkpoint/gguf_file.h"
#include "checkpoint/model_config.h"

namespace ovenbird {

/// Reads both ropes; counts are known, `rotary_dim` among them. `prefix` is "ARCHITECTURE.".
/// Faults are left in `file.metadata`.
void read_gguf_ropes(GgufFile& file, const std::string& prefix, const Family& family,
                     ModelConfig& config);

}  // namespace ovenbird
