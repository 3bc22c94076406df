// How a session chooses its next token: the numbers a user may set, and the range of each.
#pragma once

#include <cstdint>
#include <map>

#include "ovenbird/result.hpp"

namespace ovenbird {

/// The values that stand here change nothing: greedy choice over the plain logits.
struct SamplingOptions {
  float temperature = 0;         // 0 = greedy, or [1e-6, 100]
  int32_t top_k = 0;             // keeps the k best; 0 = off; beyond the vocabulary keeps all
  float top_p = 1;               // [0, 1]: keeps the best that together reach p; 1 = off
  float min_p = 0;               // [0, 1]: keeps what has min_p of the best one's probability
  float repetition_penalty = 1;  // [0.01, 100]: for what stands in prompt or answer; 1 = off
  float presence_penalty = 0;    // [-2, 2]: taken off once for what stands in the answer
  float frequency_penalty = 0;   // [-2, 2]: taken off for each time it stands in the answer
  std::map<int32_t, float> logit_bias = {};  // id -> [-100, 100], added to that token's logit
  uint64_t seed = 0;  // with the position it determines the number that is drawn

  /// Errors: kInvalidArgument, naming the first option that is out of range, and the range.
  Status validate(uint32_t vocabulary_tokens) const;
};

}  // namespace ovenbird
