// Decoder layers run one after another over windows of tokens, without the rest of the model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <openvino/runtime/core.hpp>
#include <span>
#include <utility>
#include <vector>

#include "bake/step_graph.h"
#include "bake/stored_weights.h"
#include "bake/weights_writer.h"
#include "checkpoint/checkpoint.h"

namespace ovenbird {

/// One layer's weights, somewhere in memory.
struct LayerView {
  const StoredWeights& stored;
  std::span<const std::byte> bytes;
};

/// Holds the hidden states of all windows, between two layers. Computes on OpenVINO's CPU in f32.
class LayerRunner {
 public:
  /// `windows`: token ids below the vocabulary, all of one length, at least one.
  /// `config`: the checkpoint's, with the rope that the bundle has.
  LayerRunner(const Checkpoint& checkpoint, const ModelConfig& config,
              const std::vector<std::vector<int32_t>>& windows);

  /// Is given, for each window in turn, the request that has been computed, and what went into it,
  /// [width, hidden], which it may change.
  using See = std::function<void(ov::InferRequest& request, std::vector<float>& hidden)>;

  /// Runs a layer over every window; the request's outputs are those of build_layer_graph().
  /// `go_on` is asked before each window. Errors: kInterrupted. Throws ov::Exception.
  Status run(const LayerView& weights, uint32_t layer, LayerOutputs outputs,
             const BakeProgress& go_on, const See& see);

  /// Takes what runs of a layer decoded, [windows][width, hidden], for the hidden states.
  void go_on_from(std::vector<std::vector<float>> decoded) { hidden_ = std::move(decoded); }

  /// run(); what is decoded becomes the hidden states.
  Status advance(const LayerView& weights, uint32_t layer, const BakeProgress& go_on);

 private:
  const ModelConfig& config_;
  uint32_t width_;
  std::vector<std::vector<float>> hidden_;  // [windows][width, hidden]
  ov::Core core_;
};

}  // namespace ovenbird
