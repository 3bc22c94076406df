// How an exported graph turns queries and keys by their positions, found by asking it.
#pragma once

#include <memory>
#include <vector>

#include "bake/import_attention.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// The cosines and sines of a graph: one node each, over the same angles.
struct RotationNodes {
  std::shared_ptr<ov::Node> cos;  // [1, W, size]
  std::shared_ptr<ov::Node> sin;
};

/// Errors: kUnsupported: there is not one of each, over one value.
Result<RotationNodes> find_rotation_nodes(const ov::Model& model);

struct ImportedRotation {
  std::vector<double> frequencies;  // radians a position, [head_dim / 2]
  bool angles_are_doubled = false;  // size is head_dim, both halves alike; else head_dim / 2
};

/// The frequencies, by computing the angles of a few positions up to `context`; they must grow with
/// the position and nothing else. Then keys of a token at several positions must be one another's,
/// turned by these frequencies in halves, as this project turns the keys that it keeps. The first
/// layer's keys are computed; those of others must be made from the cosines by the same
/// operations.
/// Errors: kUnsupported: any other rotation (partial, interleaved, by layer, by length).
Result<ImportedRotation> find_rotation(const ov::Model& model, const ImportedAttentions& attentions,
                                       uint32_t context);

}  // namespace ovenbird
