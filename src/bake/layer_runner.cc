// One small graph for each run of a layer.
#include "bake/layer_runner.h"

#include <algorithm>
#include <numeric>
#include <openvino/runtime/properties.hpp>

#include "base/check.h"

namespace ovenbird {
namespace {

/// The embedding of every token of a window, [width, hidden], scaled as the model does.
std::vector<float> embed(const Checkpoint& checkpoint, const std::vector<int32_t>& ids) {
  const Tensor& table = *checkpoint.find(Weight::kEmbedding);
  std::vector<float> rows(ids.size() * table.columns);
  for (size_t index = 0; index < ids.size(); ++index) {
    dequantize(table.type, table.row(static_cast<uint64_t>(ids[index])),
               std::span(rows).subspan(index * table.columns, table.columns));
  }
  for (float& number : rows) number *= checkpoint.config().embedding_scale;
  return rows;
}

}  // namespace

LayerRunner::LayerRunner(const Checkpoint& checkpoint, const ModelConfig& config,
                         const std::vector<std::vector<int32_t>>& windows)
    : config_(config), width_(static_cast<uint32_t>(windows.at(0).size())) {
  for (const std::vector<int32_t>& ids : windows) {
    OVENBIRD_CHECK(ids.size() == width_);
    hidden_.push_back(embed(checkpoint, ids));
  }
}

Status LayerRunner::run(const LayerView& weights, uint32_t layer, LayerOutputs outputs,
                        const BakeProgress& go_on, const See& see) {
  const GraphSource source{.config = config_, .stored = weights.stored, .weights = weights.bytes};
  ov::CompiledModel compiled = core_.compile_model(
      build_layer_graph(source, layer, width_, outputs), "CPU",
      {ov::hint::inference_precision(ov::element::f32), ov::hint::enable_cpu_pinning(false),
       ov::hint::dynamic_quantization_group_size(0)});
  ov::InferRequest request = compiled.create_infer_request();
  ov::Tensor mask = request.get_tensor("attention_mask");
  std::fill_n(mask.data<int64_t>(), mask.get_size(), 1);
  ov::Tensor positions = request.get_tensor("position_ids");
  std::iota(positions.data<int64_t>(), positions.data<int64_t>() + positions.get_size(), 0);
  for (std::vector<float>& hidden : hidden_) {
    if (go_on && !go_on(0)) return interrupted();
    request.set_tensor(
        "hidden", ov::Tensor(ov::element::f32, {1, width_, hidden.size() / width_}, hidden.data()));
    request.infer();
    see(request, hidden);
  }
  return ok();
}

Status LayerRunner::advance(const LayerView& weights, uint32_t layer, const BakeProgress& go_on) {
  return run(weights, layer, LayerOutputs::kDecoded, go_on,
             [](ov::InferRequest& request, std::vector<float>& hidden) {
               const ov::Tensor decoded = request.get_tensor("decoded");
               std::copy_n(decoded.data<const float>(), hidden.size(), hidden.begin());
             });
}

}  // namespace ovenbird
