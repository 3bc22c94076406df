// The order of work for one layer.
#include "bake/calibrator.h"

#include <algorithm>
#include <numeric>
#include <openvino/runtime/properties.hpp>
#include <utility>

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

uint64_t group_of(const BakeOptions& options, uint64_t columns) {
  const int32_t group = options.group_size.value_or(128);
  return group == -1 ? columns : static_cast<uint64_t>(group);
}

}  // namespace

Calibrator::Calibrator(const Checkpoint& checkpoint, const ModelConfig& config,
                       const BakeOptions& options, const std::vector<std::vector<int32_t>>& windows)
    : checkpoint_(checkpoint),
      config_(config),
      options_(options),
      width_(static_cast<uint32_t>(windows.at(0).size())) {
  for (const std::vector<int32_t>& ids : windows) {
    OVENBIRD_CHECK(ids.size() == width_);
    hidden_.push_back(embed(checkpoint, ids));
  }
}

Status Calibrator::write_layer(uint32_t layer, WeightsWriter& writer) {
  const Result<LayerFeedback> feedback = observe(layer, writer);
  if (!feedback) return Failure{feedback.error()};
  MemorySink bytes;
  WeightsWriter rounded(checkpoint_, options_, bytes,
                        [&](uint64_t) { return writer.note_time().has_value(); });
  rounded.round_with(*feedback);
  if (Status done = rounded.write_layer(layer); !done) return done;
  if (Status done = advance(source_of(rounded, bytes.content()), layer, writer); !done) return done;
  return writer.append_layer(rounded, bytes.content());
}

GraphSource Calibrator::source_of(const WeightsWriter& writer,
                                  std::span<const std::byte> weights) const {
  return {.config = config_, .stored = writer.stored(), .weights = weights};
}

Result<LayerFeedback> Calibrator::observe(uint32_t layer, WeightsWriter& writer) {
  Grams grams;
  {
    BakeOptions exact = options_;
    exact.weights = WeightChoice::kF32;
    MemorySink bytes;
    WeightsWriter plain(checkpoint_, exact, bytes, {});
    if (Status done = plain.write_layer(layer); !done) return Failure{done.error()};
    const auto model = build_layer_graph(source_of(plain, bytes.content()), layer, width_, true);
    const auto add = [&](ov::InferRequest& request, std::vector<float>&) {
      for (const ov::Output<const ov::Node>& output : request.get_compiled_model().outputs()) {
        const std::string name = output.get_any_name();
        if (name == "decoded") continue;
        const ov::Tensor tensor = request.get_tensor(output);
        const auto numbers = std::span(tensor.data<const float>(), tensor.get_size());
        std::vector<float>& sum = grams[name];
        sum.resize(numbers.size());
        std::transform(sum.begin(), sum.end(), numbers.begin(), sum.begin(), std::plus<>());
      }
    };
    if (Status done = run(model, writer, add); !done) return Failure{done.error()};
  }
  LayerFeedback feedback;
  while (!grams.empty()) {
    const auto node = grams.extract(grams.begin());
    uint64_t columns = 1;
    while (columns * columns < node.mapped().size()) ++columns;
    feedback.try_emplace(node.key(), node.mapped(), columns, group_of(options_, columns));
  }
  return feedback;
}

Status Calibrator::advance(const GraphSource& source, uint32_t layer, WeightsWriter& writer) {
  const auto model = build_layer_graph(source, layer, width_, false);
  return run(model, writer, [](ov::InferRequest& request, std::vector<float>& hidden) {
    const ov::Tensor decoded = request.get_tensor("decoded");
    std::copy_n(decoded.data<const float>(), hidden.size(), hidden.begin());
  });
}

template <typename See>
Status Calibrator::run(const std::shared_ptr<ov::Model>& model, WeightsWriter& writer,
                       const See& see) {
  ov::CompiledModel compiled = core_.compile_model(
      model, "CPU",
      {ov::hint::inference_precision(ov::element::f32), ov::hint::enable_cpu_pinning(false),
       ov::hint::dynamic_quantization_group_size(0)});
  ov::InferRequest request = compiled.create_infer_request();
  ov::Tensor mask = request.get_tensor("attention_mask");
  std::fill_n(mask.data<int64_t>(), mask.get_size(), 1);
  ov::Tensor positions = request.get_tensor("position_ids");
  std::iota(positions.data<int64_t>(), positions.data<int64_t>() + positions.get_size(), 0);
  for (std::vector<float>& hidden : hidden_) {
    if (Status noted = writer.note_time(); !noted) return noted;
    request.set_tensor(
        "hidden", ov::Tensor(ov::element::f32, {1, width_, hidden.size() / width_}, hidden.data()));
    request.infer();
    see(request, hidden);
  }
  return ok();
}

}  // namespace ovenbird
