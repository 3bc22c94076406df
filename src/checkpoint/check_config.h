// The rules that a ModelConfig keeps, whatever it was read from.
#pragma once

#include "checkpoint/model_config.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// Counts within base/limits.h, heads that divide, an even head size, a rotation that can be
/// computed. Errors: kCorrupt.
Status check_config(const ModelConfig& config);

/// `epsilon` as ModelConfig holds it; what check_config() would refuse becomes 0, which it refuses.
float rms_epsilon_of(double epsilon);

}  // namespace ovenbird
