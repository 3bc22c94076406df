// Whether an exported graph's own masks say what a step graph's masks say; then they can be
// replaced by those.
#pragma once

#include <cstdint>

#include "bake/import_attention.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// Computes each mask of the model for short steps with hidden columns, and for one row over as
/// many as `context` columns. A row must see exactly the columns that are allowed and not behind
/// itself; what else stands in a mask must hide (-10000 and below, or false). Rows of padding are
/// not looked at: the graph's own may see nothing, which is why masks are replaced at all.
/// Errors: kUnsupported: windows shorter than the context, biases by distance, chunks.
Status check_masks(const ImportedAttentions& attentions, uint32_t context);

}  // namespace ovenbird
