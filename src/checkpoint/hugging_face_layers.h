// In what the layers of a model differ, as config.json says it: windows, ropes, experts.
#pragma once

#include "checkpoint/family.h"
#include "checkpoint/json_facts.h"
#include "checkpoint/model_config.h"

namespace ovenbird {

/// Fills in window, experts and layer_facts of a configuration whose counts and ropes are read.
/// What is wrong or not supported becomes a fault of `facts`.
void read_layer_facts(JsonFacts& facts, const Family& family, ModelConfig& config);

}  // namespace ovenbird
