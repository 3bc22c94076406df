// Which matrices of a model suffer most from 4 bits, found by running it layer by layer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bake/matrix_list.h"
#include "bake/options.h"
#include "bake/weights_writer.h"
#include "checkpoint/checkpoint.h"

namespace ovenbird {

/// What becomes of a layer when one group of its matrices is rounded.
struct GroupLoss {
  uint32_t layer = 0;
  std::string part;  // of layer_groups.h
  uint64_t weights = 0;
  double loss = 0;  // squared change of the layer's output over its square, mean over tokens
};

/// The groups of the largest loss for each weight, until those left have at most `ratio` of all
/// weights. Groups that `chosen` names count as taken.
MatrixList widest(std::vector<GroupLoss> losses, double ratio, MatrixList chosen);

/// Rounds each group alone, to nearest, and runs its layer with all else exact over `windows` (as
/// LayerRunner takes them). Five runs for each layer. Errors: those of
/// WeightsWriter::write_layer(). Throws ov::Exception.
Result<std::vector<GroupLoss>> group_losses(const Checkpoint& checkpoint, const ModelConfig& config,
                                            const BakeOptions& options,
                                            const std::vector<std::vector<int32_t>>& windows,
                                            const BakeProgress& go_on);

/// Pseudo-random tokens, the same ones each time: what to run a model over when there is no text.
std::vector<std::vector<int32_t>> random_windows(uint32_t vocabulary);

}  // namespace ovenbird
