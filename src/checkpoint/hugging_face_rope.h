// Rotary embedding as config.json describes it, in the old words and the new.
#pragma once

#include "checkpoint/json_facts.h"
#include "checkpoint/model_config.h"

namespace ovenbird {

/// Old: `rope_theta` and `rope_scaling` {"rope_type" or "type", ...}. New: all in
/// `rope_parameters`. `context` stands in for a missing original context, as in transformers.
/// What is wrong or not supported becomes a fault of `facts`.
Rope hugging_face_rope(JsonFacts& facts, uint32_t context);

}  // namespace ovenbird
