// Rotary position embedding in a step graph.
#pragma once

#include "bake/graph_ops.h"
#include "bake/step_graph.h"
#include "bake/weight_ops.h"

namespace ovenbird {

/// Cosine and sine for each new row: [1, 1, W, rotary_dim], both halves the same angles.
struct Rotation {
  Value cos, sin;
};

/// Names in the weights file of a rope's two tables.
struct RopeTables {
  const char* cos;
  const char* sin;
};
RopeTables rope_tables(LayerRope rope);  // kGlobal or kLocal

/// From the tables; in a graph whose past has no bound, or where there are no tables, computed, on
/// devices that have f32.
Rotation make_rotation(const GraphOps& ops, const WeightOps& weights, const GraphSource& source,
                       LayerRope rope, const StepShape& shape, const Value& position_ids);

/// Rotates the first rotary_dim numbers of heads [1, H, W, D].
Value rotate(const GraphOps& ops, const Value& heads, const Rotation& rotation,
             const ModelConfig& config);

}  // namespace ovenbird
