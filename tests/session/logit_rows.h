// Rows of logits for tests: the same numbers that make_sampling_goldens.py computes.
#pragma once

#include <cstdint>
#include <vector>

namespace ovenbird {

/// Bell-shaped, within +-16, standard deviation 4.6; coarse_bits > 0 makes many equals.
inline std::vector<float> make_logit_row(uint32_t vocabulary, uint64_t seed, int coarse_bits = 0) {
  uint64_t state = seed;
  std::vector<float> logits(vocabulary);
  for (float& logit : logits) {
    int64_t total = 0;
    for (int i = 0; i < 4; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      total += static_cast<int64_t>(state >> 48);
    }
    total -= total % (int64_t{1} << coarse_bits);
    logit = static_cast<float>(total - 131070) / 8192.0f;
  }
  return logits;
}

}  // namespace ovenbird
