// Rotary embedding as config.json describes it, in the old words and the new.
#pragma once

#include "checkpoint/family.h"
#include "checkpoint/json_facts.h"
#include "checkpoint/model_config.h"

namespace ovenbird {

/// Fills in rope, local_rope and rotary_dim of a configuration whose counts are read.
/// Old words: `rope_theta`, `rope_local_base_freq` and `rope_scaling` {"rope_type" or "type", ...}.
/// New: all in `rope_parameters`, one or one for each kind of layer. The context stands in for a
/// missing original one, as in transformers. What is wrong or not supported becomes a fault of
/// `facts`.
void read_ropes(JsonFacts& facts, const Family& family, ModelConfig& config);

}  // namespace ovenbird
