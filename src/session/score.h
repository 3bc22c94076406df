// How likely a model finds a given text.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "ovenbird/result.hpp"
#include "session/plan.h"

namespace ovenbird {

/// Natural logarithm of the probability of tokens[i] after tokens[0, i), for i >= 1: one number
/// fewer than tokens. The plan must hold nothing. `go_on` is asked between steps.
/// Errors: kInvalidArgument (fewer than 2 tokens, an id out of range), kInterrupted, kBadOutput
/// (logits that are no numbers), those of Plan::step.
Result<std::vector<double>> score(Plan& plan, std::span<const int32_t> tokens, uint32_t vocabulary,
                                  const std::function<bool()>& go_on);

}  // namespace ovenbird
