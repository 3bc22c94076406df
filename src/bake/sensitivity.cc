// Loss by loss, and the choice among them.
#include "bake/sensitivity.h"

#include <algorithm>
#include <random>
#include <utility>

#include "bake/layer_groups.h"
#include "bake/layer_runner.h"

namespace ovenbird {
namespace {

constexpr size_t kRandomWindows = 4;
constexpr size_t kRandomWidth = 128;

using Rows = std::vector<std::vector<float>>;  // [windows][width, hidden]

/// Squared change over square, for each token, and the mean of that: a few tokens of most models
/// are a thousand times larger than the rest.
double relative_change(const Rows& from, const Rows& to, uint32_t hidden) {
  double total = 0;
  size_t tokens = 0;
  for (size_t window = 0; window < from.size(); ++window) {
    for (size_t first = 0; first < from[window].size(); first += hidden, ++tokens) {
      double change = 0;
      double size = 1e-30;
      for (size_t i = first; i < first + hidden; ++i) {
        const double difference = double{to[window][i]} - from[window][i];
        change += difference * difference;
        size += double{from[window][i]} * from[window][i];
      }
      total += change / size;
    }
  }
  return total / static_cast<double>(std::max<size_t>(tokens, 1));
}

/// A layer twice in one piece of memory: exact, and behind that rounded.
struct LayerPair {
  StoredWeights exact, rounded;
  std::vector<std::byte> bytes;
};

Result<LayerPair> write_pair(const Checkpoint& checkpoint, const BakeOptions& options,
                             uint32_t layer, const BakeProgress& go_on) {
  BakeOptions exactly = options;
  exactly.weights = WeightChoice::kF32;
  BakeOptions roundly = options;
  roundly.int8_layers = roundly.f16_layers = {};
  MemorySink sink;
  WeightsWriter exact(checkpoint, exactly, sink, go_on);
  if (Status done = exact.write_layer(layer); !done) return Failure{done.error()};
  WeightsWriter rounded(checkpoint, roundly, sink, go_on);
  if (Status done = rounded.write_layer(layer); !done) return Failure{done.error()};
  return LayerPair{.exact = exact.stored(), .rounded = rounded.stored(), .bytes = sink.take()};
}

/// The exact layer with one group as it is rounded.
StoredWeights with_group(const LayerPair& pair, const std::string& group) {
  StoredWeights mixed = pair.exact;
  for (const auto& [name, blob] : pair.rounded.blobs) {
    if (name.starts_with(group + ".")) mixed.blobs[name] = blob;
  }
  mixed.matrices.insert_or_assign(group, pair.rounded.matrices.at(group));
  return mixed;
}

Result<Rows> decoded_by(LayerRunner& runner, const LayerView& weights, uint32_t layer,
                        const BakeProgress& go_on) {
  Rows rows;
  const auto keep = [&](ov::InferRequest& request, std::vector<float>& hidden) {
    const ov::Tensor decoded = request.get_tensor("decoded");
    rows.emplace_back(decoded.data<const float>(), decoded.data<const float>() + hidden.size());
  };
  const Status done = runner.run(weights, layer, LayerOutputs::kDecoded, go_on, keep);
  if (!done) return Failure{done.error()};
  return rows;
}

}  // namespace

MatrixList widest(std::vector<GroupLoss> losses, double ratio, MatrixList chosen) {
  double total = 0;
  double narrow = 0;
  for (const GroupLoss& group : losses) {
    total += static_cast<double>(group.weights);
    if (!chosen.contains(group.layer, group.part)) narrow += static_cast<double>(group.weights);
  }
  std::stable_sort(losses.begin(), losses.end(), [](const GroupLoss& a, const GroupLoss& b) {
    return a.loss * static_cast<double>(b.weights) > b.loss * static_cast<double>(a.weights);
  });
  for (const GroupLoss& group : losses) {
    if (narrow <= ratio * total) break;
    if (chosen.contains(group.layer, group.part)) continue;
    chosen.add(group.layer, group.part);
    narrow -= static_cast<double>(group.weights);
  }
  return chosen;
}

Result<std::vector<GroupLoss>> group_losses(const Checkpoint& checkpoint, const ModelConfig& config,
                                            const BakeOptions& options,
                                            const std::vector<std::vector<int32_t>>& windows,
                                            const BakeProgress& go_on) {
  LayerRunner runner(checkpoint, config, windows);
  std::vector<GroupLoss> losses;
  for (uint32_t layer = 0; layer < config.layers; ++layer) {
    const Result<LayerPair> pair = write_pair(checkpoint, options, layer, go_on);
    if (!pair) return Failure{pair.error()};
    Result<Rows> from = decoded_by(runner, {pair->exact, pair->bytes}, layer, go_on);
    if (!from) return Failure{from.error()};
    for (const LayerGroup& group : kLayerGroups) {
      const std::string name = layer_name(layer, group.part);
      const StoredMatrix& matrix = pair->rounded.matrices.at(name);
      const StoredWeights mixed = with_group(*pair, name);
      const Result<Rows> to = decoded_by(runner, {mixed, pair->bytes}, layer, go_on);
      if (!to) return Failure{to.error()};
      losses.push_back({.layer = layer,
                        .part = group.part,
                        .weights = matrix.rows * matrix.columns,
                        .loss = relative_change(*from, *to, config.hidden)});
    }
    runner.go_on_from(std::move(*from));
  }
  return losses;
}

std::vector<std::vector<int32_t>> random_windows(uint32_t vocabulary) {
  std::mt19937 generator(1);  // a fixed seed: the same bundle each time
  std::vector<std::vector<int32_t>> windows(kRandomWindows);
  for (std::vector<int32_t>& window : windows) {
    for (size_t i = 0; i < kRandomWidth; ++i) {
      window.push_back(static_cast<int32_t>(generator() % vocabulary));
    }
  }
  return windows;
}

}  // namespace ovenbird
