// Rounds each decoder layer by what it does to a text: the model is run block by block meanwhile.
#pragma once

#include <cstdint>
#include <vector>

#include "bake/layer_runner.h"
#include "bake/options.h"
#include "bake/weights_writer.h"
#include "checkpoint/checkpoint.h"

namespace ovenbird {

/// Keeps the hidden states of all calibration tokens. For each layer in turn: runs it with exact
/// weights to see what its matrices are multiplied by, rounds these, and runs it again as it was
/// stored, so that the next layer is rounded for the inputs that it will really have. Holds one
/// layer in f32, and of its widest matrix three times columns x columns f32.
class Calibrator {
 public:
  /// `config`, `windows`: as LayerRunner takes them.
  Calibrator(const Checkpoint& checkpoint, const ModelConfig& config, const BakeOptions& options,
             const std::vector<std::vector<int32_t>>& windows);

  /// To be called for layer 0, 1, ... Errors: those of WeightsWriter::write(). Throws
  /// ov::Exception.
  Status write_layer(uint32_t layer, WeightsWriter& writer);

 private:
  Result<LayerFeedback> observe(uint32_t layer, const BakeProgress& progress);

  const Checkpoint& checkpoint_;
  BakeOptions options_;
  LayerRunner runner_;
};

}  // namespace ovenbird
