// Rounds each decoder layer by what it does to a text: the model is run block by block meanwhile.
#pragma once

#include <cstdint>
#include <openvino/runtime/core.hpp>
#include <vector>

#include "bake/options.h"
#include "bake/step_graph.h"
#include "bake/weights_writer.h"
#include "checkpoint/checkpoint.h"

namespace ovenbird {

/// Keeps the hidden states of all calibration tokens. For each layer in turn: runs it with exact
/// weights to see what its matrices are multiplied by, rounds these, and runs it again as it was
/// stored, so that the next layer is rounded for the inputs that it will really have. Holds one
/// layer in f32, and of its widest matrix three times columns x columns f32.
class Calibrator {
 public:
  /// `windows`: token ids below the vocabulary, all of one length.
  /// `config`: the checkpoint's, with the rope that the bundle has.
  Calibrator(const Checkpoint& checkpoint, const ModelConfig& config, const BakeOptions& options,
             const std::vector<std::vector<int32_t>>& windows);

  /// To be called for layer 0, 1, ... Errors: those of WeightsWriter::write(). Throws
  /// ov::Exception.
  Status write_layer(uint32_t layer, WeightsWriter& writer);

 private:
  using Grams = std::map<std::string, std::vector<float>>;

  Result<LayerFeedback> observe(uint32_t layer, WeightsWriter& writer);
  Status advance(const GraphSource& source, uint32_t layer, WeightsWriter& writer);
  /// Runs a layer over every window; `see` gets the request after each.
  template <typename See>
  Status run(const std::shared_ptr<ov::Model>& model, WeightsWriter& writer, const See& see);
  GraphSource source_of(const WeightsWriter& writer, std::span<const std::byte> weights) const;

  const Checkpoint& checkpoint_;
  const ModelConfig& config_;
  BakeOptions options_;
  uint32_t width_;
  std::vector<std::vector<float>> hidden_;  // [windows][width, hidden]
  ov::Core core_;
};

}  // namespace ovenbird
