// What of a checkpoint goes into a bundle, as far as it needs no rounding.
#pragma once

#include <cstdint>
#include <vector>

#include "checkpoint/checkpoint.h"

namespace ovenbird {

/// The values of a vector tensor (norms, biases) as floats.
std::vector<float> read_vector(const Tensor& tensor);

/// The bias that goes with a matrix of a layer.
Weight bias_of(Weight weight);

/// Bytes of all tensors that a bake reads: the progress bar's whole.
uint64_t source_bytes(const Checkpoint& checkpoint);

}  // namespace ovenbird
