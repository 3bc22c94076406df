// In what the layers of a model differ: the patterns that every kind of source speaks of.
#pragma once

#include <cstdint>
#include <vector>

#include "checkpoint/family.h"
#include "checkpoint/model_config.h"

namespace ovenbird {

/// True for all layers but every `period`-th; 0 = for all of them.
std::vector<bool> all_but_every(uint32_t period, uint32_t layers);

/// Makes the layers that `slides` names see a window of `window` tokens, by the family's rope for
/// such layers. A window that hides nothing (0, or as long as the context) changes the rope only.
/// `config.layer_facts` has an entry for each layer.
void set_windows(const Family& family, const std::vector<bool>& slides, uint32_t window,
                 ModelConfig& config);

/// Leaves the layers unrotated that `rotates` does not name.
void set_unrotated(const std::vector<bool>& rotates, ModelConfig& config);

}  // namespace ovenbird
