// What of a checkpoint goes into a bundle, as far as it needs no rounding.
#include "bake/source_weights.h"

#include <span>

#include "base/check.h"
#include "checkpoint/weight_names.h"

namespace ovenbird {
namespace {

const std::vector<Weight> kLayerWeights = {
    Weight::kAttentionNorm, Weight::kQuery,     Weight::kKey,     Weight::kValue,
    Weight::kOutput,        Weight::kQueryBias, Weight::kKeyBias, Weight::kValueBias,
    Weight::kOutputBias,    Weight::kQueryNorm, Weight::kKeyNorm, Weight::kMlpNorm,
    Weight::kGate,          Weight::kUp,        Weight::kDown,    Weight::kGateBias,
    Weight::kUpBias,        Weight::kDownBias,  Weight::kRouter,  Weight::kAttentionPostNorm,
    Weight::kMlpPostNorm};

}  // namespace

std::vector<float> read_vector(const Tensor& tensor) {
  std::vector<float> values(tensor.rows * tensor.columns);
  for (uint64_t row = 0; row < tensor.rows; ++row) {
    dequantize(tensor.type, tensor.row(row),
               std::span(values).subspan(row * tensor.columns, tensor.columns));
  }
  return values;
}

Weight bias_of(Weight weight) {
  switch (weight) {
    case Weight::kQuery:
      return Weight::kQueryBias;
    case Weight::kKey:
      return Weight::kKeyBias;
    case Weight::kValue:
      return Weight::kValueBias;
    case Weight::kOutput:
      return Weight::kOutputBias;
    case Weight::kGate:
      return Weight::kGateBias;
    case Weight::kUp:
      return Weight::kUpBias;
    case Weight::kDown:
      return Weight::kDownBias;
    default:
      OVENBIRD_CHECK(false && "a weight without a bias");
      return weight;
  }
}

uint64_t source_bytes(const Checkpoint& checkpoint) {
  uint64_t bytes = 0;
  const auto add = [&](Weight weight, uint32_t layer) {
    const uint32_t count = count_in_layer(checkpoint.config(), weight, layer);
    for (uint32_t expert = 0; expert < count; ++expert) {
      const Tensor* tensor = checkpoint.find(weight, layer, expert);
      if (tensor) bytes += tensor->bytes.size();
    }
  };
  add(Weight::kEmbedding, 0);
  add(Weight::kFinalNorm, 0);
  if (!checkpoint.config().tied_head) add(Weight::kHead, 0);
  for (uint32_t layer = 0; layer < checkpoint.config().layers; ++layer) {
    for (const Weight weight : kLayerWeights) add(weight, layer);
  }
  return bytes;
}

}  // namespace ovenbird
