// The order of work for one layer.
#include "bake/calibrator.h"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

namespace ovenbird {
namespace {

uint64_t group_of(const BakeOptions& options, uint64_t columns) {
  const int32_t group = options.group_size.value_or(kDefaultGroup);
  return group == -1 ? columns : static_cast<uint64_t>(group);
}

using Grams = std::map<std::string, std::vector<float>>;  // by the name of the matrices

void add_grams(ov::InferRequest& request, Grams& grams) {
  for (const ov::Output<const ov::Node>& output : request.get_compiled_model().outputs()) {
    const ov::Tensor tensor = request.get_tensor(output);
    const auto numbers = std::span(tensor.data<const float>(), tensor.get_size());
    std::vector<float>& sum = grams[output.get_any_name()];
    sum.resize(numbers.size());
    std::transform(sum.begin(), sum.end(), numbers.begin(), sum.begin(), std::plus<>());
  }
}

uint64_t root_of(uint64_t square) {
  uint64_t root = 1;
  while (root * root < square) ++root;
  return root;
}

}  // namespace

Calibrator::Calibrator(const Checkpoint& checkpoint, const ModelConfig& config,
                       const BakeOptions& options, const std::vector<std::vector<int32_t>>& windows)
    : checkpoint_(checkpoint), options_(options), runner_(checkpoint, config, windows) {}

Status Calibrator::write_layer(uint32_t layer, WeightsWriter& writer) {
  const BakeProgress go_on = [&](uint64_t) { return writer.note_time().has_value(); };
  const Result<LayerFeedback> feedback = observe(layer, go_on);
  if (!feedback) return Failure{feedback.error()};
  MemorySink bytes;
  WeightsWriter rounded(checkpoint_, options_, bytes, go_on);
  rounded.round_with(*feedback);
  if (Status done = rounded.write_layer(layer); !done) return done;
  const LayerView weights{rounded.stored(), bytes.content()};
  if (Status done = runner_.advance(weights, layer, go_on); !done) return done;
  return writer.append_layer(rounded, bytes.content());
}

Result<LayerFeedback> Calibrator::observe(uint32_t layer, const BakeProgress& go_on) {
  Grams grams;
  {
    BakeOptions exact = options_;
    exact.weights = WeightChoice::kF32;
    MemorySink bytes;
    WeightsWriter plain(checkpoint_, exact, bytes, go_on);
    if (Status done = plain.write_layer(layer); !done) return Failure{done.error()};
    const LayerView weights{plain.stored(), bytes.content()};
    const auto add = [&](ov::InferRequest& request, std::vector<float>&) {
      add_grams(request, grams);
    };
    if (Status done = runner_.run(weights, layer, LayerOutputs::kGrams, go_on, add); !done) {
      return Failure{done.error()};
    }
  }
  LayerFeedback feedback;
  while (!grams.empty()) {
    const auto node = grams.extract(grams.begin());
    const uint64_t columns = root_of(node.mapped().size());
    feedback.try_emplace(node.key(), node.mapped(), columns, group_of(options_, columns));
  }
  return feedback;
}

}  // namespace ovenbird
