// In what the layers of a model differ: the patterns that every kind of source speaks of.
#include "checkpoint/layer_patterns.h"

#include <algorithm>

namespace ovenbird {

std::vector<bool> all_but_every(uint32_t period, uint32_t layers) {
  std::vector<bool> chosen(layers);
  for (uint32_t layer = 0; layer < layers; ++layer) {
    chosen[layer] = period == 0 || (layer + 1) % period != 0;
  }
  return chosen;
}

void set_windows(const Family& family, const std::vector<bool>& slides, uint32_t window,
                 ModelConfig& config) {
  const bool hides_some = window != 0 && window < config.context;
  const bool is_any = std::find(slides.begin(), slides.end(), true) != slides.end();
  config.window = hides_some && is_any ? window : 0;
  for (uint32_t layer = 0; layer < config.layers; ++layer) {
    config.layer_facts[layer].slides = slides[layer] && hides_some;
    if (slides[layer] && family.local_theta != 0) {
      config.layer_facts[layer].rope = LayerRope::kLocal;
    }
  }
}

void set_unrotated(const std::vector<bool>& rotates, ModelConfig& config) {
  for (uint32_t layer = 0; layer < config.layers; ++layer) {
    if (!rotates[layer]) config.layer_facts[layer].rope = LayerRope::kNone;
  }
}

}  // namespace ovenbird
