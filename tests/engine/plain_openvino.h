// What OpenVINO does without the engine.
#pragma once

#include <cstdint>
#include <vector>

#include "bundle/bundle.h"

namespace ovenbird {

/// Logits [128, vocabulary] of a window of 128 tokens, on the CPU in f32 throughout: OpenVINO is
/// told not to round activations to 8 bit, which it does by itself beside weights in groups of 32.
std::vector<float> plain_window_logits(const Bundle& bundle, const std::vector<int32_t>& ids);

/// What the 16 codes of nf4 stand for.
std::vector<float> plain_nf4_values();

}  // namespace ovenbird
