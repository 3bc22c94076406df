// Who sees whom in a step graph, as numbers that are added to the scores.
#pragma once

#include <cstdint>

#include "bake/graph_ops.h"
#include "bake/step_graph.h"

namespace ovenbird {

/// Each is 0 where seen and a large negative number where not; G: query heads to one key head. What
/// a graph does not need is not set.
struct AttentionMasks {
  Value past_and_rest;  // i64 [2]: how the columns divide into past and new rows
  Value past;           // [1, 1, 1, P]; with a window [1, 1, G * W, P]
  Value fresh;          // [1, 1, G * W, W]; a single row sees itself and needs none
  Value all;            // [1, 1, G * W, P + W], if past and new keys are joined
};

struct MaskInputs {
  Value attention_mask;  // i64 [1, P + W]; 1 = may be seen
  Value position_ids;    // i64 [1, W]
  uint32_t query_heads_per_key_head = 1;
  bool joins_keys = false;  // past and new keys are scored as one
  uint32_t window = 0;      // of the newest tokens, its own among them, that a row sees; 0 = all
};

/// Among the new rows, each sees those before it that may be seen, and always itself. With a
/// window, row r of the past holds the key of position r.
AttentionMasks make_attention_masks(const GraphOps& ops, const StepShape& shape,
                                    const MaskInputs& inputs);

}  // namespace ovenbird
