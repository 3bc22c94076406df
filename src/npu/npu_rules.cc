// The table of rules, and how the weights of a matmul are found in a graph.
#include "npu/npu_rules.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "base/message_text.h"
#include "base/npu_generation.h"
#include "npu/npu_operations.h"

namespace ovenbird {
namespace {

/// The dynamically quantized matmul knows one group besides a whole row.
constexpr int64_t kNpuGroup = 128;
constexpr size_t kNpuRankMax = 5;  // the driver's interface describes five dimensions of a port

// --- The weights of a matmul

enum class Bits { kFour, kEight };

/// Stored weights that a MatMul reads through Convert, Subtract, Multiply and changes of shape:
///   values [rows, groups, group] x scales [rows, groups, 1], or [rows, columns] x [rows, 1].
struct QuantizedWeights {
  std::string type;  // "i4", "u4", "nf4", "i8", "u8"
  Bits bits = Bits::kFour;
  bool has_zeros = false;  // something is subtracted from the values
  int64_t group = 0;       // weights that share a scale; 0: a whole row, or scaled elsewhere
};

std::optional<Bits> bits_of(std::string_view type) {
  if (type == "i4" || type == "u4" || type == "nf4") return Bits::kFour;
  if (type == "i8" || type == "u8") return Bits::kEight;
  return std::nullopt;
}

/// How many numbers; 0 where a dimension is open, or the product is beyond what any file holds.
int64_t elements(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t size : shape) {
    if (size <= 0 || count > (int64_t{1} << 48) / size) return 0;
    count *= size;
  }
  return count;
}

bool only_changes_shape_or_type(std::string_view type) {
  return type == "Convert" || type == "Reshape" || type == "Transpose" || type == "Squeeze" ||
         type == "Unsqueeze";
}

/// A parameter may be weights too: OpenVINO's NPU wrapper keeps them in a bank of its own. Those
/// have at most three dimensions; four are a cache of keys or values.
bool may_hold_weights(const IrLayer& layer, const IrOutput& output) {
  return layer.type == "Const" || (layer.type == "Parameter" && output.shape.size() <= 3);
}

/// Follows one input of a MatMul back. `rows`: how many numbers of its result come from it.
std::optional<QuantizedWeights> find_weights(const IrGraph& graph, IrSource source, int64_t rows) {
  QuantizedWeights found;
  // The longest chain written so far has six layers; a broken graph may have a ring.
  for (int depth = 0; depth < 16; ++depth) {
    const IrLayer& layer = graph.layers[source.layer];
    const IrOutput& output = layer.outputs[source.output];
    if (const std::optional<Bits> bits = bits_of(output.type);
        bits && may_hold_weights(layer, output)) {
      found.type = output.type;
      found.bits = *bits;
      return found;
    }
    const bool scales = layer.type == "Multiply";
    if ((scales || layer.type == "Subtract") && layer.sources.size() == 2) {
      const int64_t counts[] = {elements(graph.output_of(layer.sources[0]).shape),
                                elements(graph.output_of(layer.sources[1]).shape)};
      const size_t values = counts[1] > counts[0] ? 1 : 0;
      const int64_t scale_count = counts[1 - values];
      // One scale in all says nothing about groups: it is applied beside the real ones.
      if (scales && scale_count > 1 && scale_count != rows) {
        const int64_t group = counts[values] / scale_count;
        found.group = found.group == 0 ? group : std::min(found.group, group);
      }
      found.has_zeros |= !scales;
      source = layer.sources[values];
    } else if (only_changes_shape_or_type(layer.type) && !layer.sources.empty()) {
      source = layer.sources[0];
    } else {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<QuantizedWeights> weights_of(const IrGraph& graph, const IrLayer& layer) {
  if (layer.type != "MatMul" || layer.sources.size() != 2 || layer.outputs.empty()) return {};
  const std::vector<int64_t>& result = layer.outputs[0].shape;
  for (const size_t input : {size_t{1}, size_t{0}}) {
    const size_t from_end = 2 - input;  // the right input gives the result's last dimension
    const int64_t rows = result.size() < from_end ? 0 : result[result.size() - from_end];
    if (auto weights = find_weights(graph, layer.sources[input], rows)) return weights;
  }
  return std::nullopt;
}

// --- The rules: each says what is wrong with one layer, or nothing

struct Facts {
  const IrGraph& graph;
  std::vector<bool> is_constant = {};  // of each layer: a compiler computes it and forgets it
  std::vector<std::optional<QuantizedWeights>> weights = {};  // one for each layer
  size_t eight_bit_matmuls = 0;
};

bool is_open(const IrOutput& output) {
  return std::any_of(output.shape.begin(), output.shape.end(),
                     [](int64_t size) { return size < 0; });
}

/// A constant, the shape of something closed, or what is computed from those alone. OpenVINO leaves
/// such layers in a graph that was made static (its NPU wrapper hands them to the driver), and
/// Intel's compiler folds them before anything else. Layers stand behind what they take.
std::vector<bool> find_constants(const IrGraph& graph) {
  // Constant inputs do not make these constant: a port, state, control flow, chance.
  const auto acts_whatever_it_reads = [](std::string_view type) {
    constexpr std::array kTypes = {"Result", "ReadValue",      "Assign",  "If",
                                   "Loop",   "TensorIterator", "Unknown", "RandomUniform"};
    return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
  };
  std::vector<bool> is_constant(graph.layers.size());
  for (size_t index = 0; index < graph.layers.size(); ++index) {
    const IrLayer& layer = graph.layers[index];
    const auto source_is_constant = [&](const IrSource& source) {
      return source.layer < index && is_constant[source.layer];
    };
    if (layer.sources.empty()) {
      is_constant[index] = layer.type == "Const";
    } else if (layer.type == "ShapeOf") {
      is_constant[index] = !is_open(graph.output_of(layer.sources[0]));
    } else if (!acts_whatever_it_reads(layer.type)) {
      is_constant[index] =
          std::all_of(layer.sources.begin(), layer.sources.end(), source_is_constant);
    }
  }
  return is_constant;
}

Facts facts_of(const IrGraph& graph) {
  Facts facts{.graph = graph, .is_constant = find_constants(graph)};
  for (const IrLayer& layer : graph.layers) {
    facts.weights.push_back(weights_of(graph, layer));
    if (facts.weights.back() && facts.weights.back()->bits == Bits::kEight) {
      ++facts.eight_bit_matmuls;
    }
  }
  return facts;
}

using Why = std::string;  // empty: nothing is wrong

Why open_dimension(const Facts& facts, size_t index) {
  const std::vector<IrOutput>& outputs = facts.graph.layers[index].outputs;
  if (std::none_of(outputs.begin(), outputs.end(), is_open)) return {};
  return "has an open dimension, and an NPU takes static shapes only";
}

Why too_many_dimensions(const Facts& facts, size_t index) {
  const IrLayer& layer = facts.graph.layers[index];
  const auto complain = [](size_t rank) {
    return rank <= kNpuRankMax ? Why()
                               : "an input or output of " + std::to_string(rank) +
                                     " dimensions, and an NPU takes 5 at most";
  };
  if (layer.type == "Parameter" && !layer.outputs.empty()) {
    return complain(layer.outputs[0].shape.size());
  }
  if (layer.type == "Result" && !layer.sources.empty()) {
    return complain(facts.graph.output_of(layer.sources[0]).shape.size());
  }
  return {};
}

Why keeps_state(const Facts& facts, size_t index) {
  const std::string& type = facts.graph.layers[index].type;
  if (type != "ReadValue" && type != "Assign") return {};
  return type + ": the graph keeps state; an NPU wants the cache as inputs and outputs";
}

Why branches(const Facts& facts, size_t index) {
  const std::string& type = facts.graph.layers[index].type;
  if (type != "If" && type != "Loop" && type != "TensorIterator") return {};
  return type + ": an NPU takes graphs without branches and loops";
}

/// ShapeOf of a closed shape, and a Range of constants, are constants: no rule is asked about them.
Why shape_from_data(const Facts& facts, size_t index) {
  const std::string& type = facts.graph.layers[index].type;
  if (type == "ShapeOf") return "ShapeOf: an NPU takes no operation that looks at open shapes";
  if (type != "Range" && type != "NonZero" && type != "Unique") return {};
  return type + ": how much it gives depends on its data, and an NPU takes static shapes";
}

/// What the rules above refuse by name has a better reason than not being in the list.
Why unknown_operation(const Facts& facts, size_t index) {
  const std::string& type = facts.graph.layers[index].type;
  static constexpr std::string_view kRefusedByName[] = {
      "Assign", "If", "Loop", "NonZero", "ReadValue", "ShapeOf", "TensorIterator", "Unique"};
  if (is_npu_operation(type) ||
      std::binary_search(std::begin(kRefusedByName), std::end(kRefusedByName), type)) {
    return {};
  }
  return printable(type) + ": no operation that an NPU's compiler is known to take";
}

Why zero_points(const Facts& facts, size_t index) {
  const std::optional<QuantizedWeights>& weights = facts.weights[index];
  if (!weights || weights->bits != Bits::kFour) return {};
  if (!weights->has_zeros && weights->type != "u4") return {};
  return weights->type + " weights with zero points, and an NPU takes symmetric ones only";
}

Why other_groups(const Facts& facts, size_t index) {
  const std::optional<QuantizedWeights>& weights = facts.weights[index];
  if (!weights || weights->bits != Bits::kFour || weights->type == "nf4") return {};
  if (weights->group == 0 || weights->group == kNpuGroup) return {};
  return weights->type + " weights in groups of " + std::to_string(weights->group) +
         ", and an NPU takes groups of 128 or whole rows";
}

Why nf4(const Facts& facts, size_t index) {
  const std::optional<QuantizedWeights>& weights = facts.weights[index];
  if (!weights || weights->type != "nf4") return {};
  return "nf4 weights, which this NPU does not have: it takes i4";
}

Why nf4_in_groups(const Facts& facts, size_t index) {
  const std::optional<QuantizedWeights>& weights = facts.weights[index];
  if (!weights || weights->type != "nf4" || weights->group == 0) return {};
  return "nf4 weights in groups of " + std::to_string(weights->group) +
         ", and an NPU takes nf4 in whole rows only";
}

/// One matmul alone is the vocabulary head, which is usual in 8 bit.
Why eight_bit_layers(const Facts& facts, size_t index) {
  const std::optional<QuantizedWeights>& weights = facts.weights[index];
  if (!weights || weights->bits != Bits::kEight || facts.eight_bit_matmuls < 2) return {};
  return "8-bit weights in layers compile and then crash (OpenVINO issue 35641)";
}

struct Rule {
  bool on_weights;
  bool on_3720, on_4000, on_5010;
  Why (*why)(const Facts& facts, size_t layer);

  bool is_in(NpuRules rules) const { return rules == NpuRules::kAll || on_weights; }

  bool holds_on(NpuPlatform platform) const {
    switch (platform) {
      case NpuPlatform::k3720:
        return on_3720;
      case NpuPlatform::k4000:
        return on_4000;
      case NpuPlatform::k5010:
        break;
    }
    return on_5010;
  }
};

constexpr bool kRefuses = true;
constexpr bool kTakes = false;
constexpr bool kOnGraphs = false;
constexpr bool kOnWeights = true;

constexpr Rule kRules[] = {
    //          3720      4000      5010
    {kOnGraphs, kRefuses, kRefuses, kRefuses, open_dimension},
    {kOnGraphs, kRefuses, kRefuses, kRefuses, too_many_dimensions},
    {kOnGraphs, kRefuses, kRefuses, kRefuses, keeps_state},
    {kOnGraphs, kRefuses, kRefuses, kRefuses, branches},
    {kOnGraphs, kRefuses, kRefuses, kRefuses, shape_from_data},
    {kOnGraphs, kRefuses, kRefuses, kRefuses, unknown_operation},
    {kOnWeights, kRefuses, kRefuses, kRefuses, zero_points},
    {kOnWeights, kRefuses, kRefuses, kRefuses, other_groups},
    {kOnWeights, kRefuses, kTakes, kTakes, nf4},
    {kOnWeights, kTakes, kRefuses, kRefuses, nf4_in_groups},   // on 3720 the rule above says it
    {kOnWeights, kTakes, kRefuses, kTakes, eight_bit_layers},  // seen on Lunar Lake only
};

}  // namespace

std::string name_of(NpuPlatform platform) {
  switch (platform) {
    case NpuPlatform::k3720:
      return std::string(kMeteorLake.platform);
    case NpuPlatform::k4000:
      return std::string(kLunarLake.platform);
    case NpuPlatform::k5010:
      break;
  }
  return std::string(kPantherLake.platform);
}

std::string processors_of(NpuPlatform platform) {
  return processors_of_platform(name_of(platform));
}

std::vector<NpuRefusal> npu_refusals(const IrGraph& graph, NpuPlatform platform, NpuRules rules) {
  const Facts facts = facts_of(graph);
  std::vector<NpuRefusal> refusals;
  std::vector<size_t> layers;            // for each refusal: how many layers it holds for
  std::map<std::string, size_t> places;  // of the reasons so far, in `refusals`
  for (size_t layer = 0; layer < graph.layers.size(); ++layer) {
    if (facts.is_constant[layer]) continue;
    for (const Rule& rule : kRules) {
      if (!rule.is_in(rules) || !rule.holds_on(platform)) continue;
      const Why why = rule.why(facts, layer);
      if (why.empty()) continue;
      const auto [place, is_new] = places.try_emplace(why, refusals.size());
      if (is_new) {
        refusals.push_back({.layer = graph.layers[layer].name, .why = why});
        layers.push_back(0);
      }
      ++layers[place->second];
    }
  }
  for (size_t index = 0; index < refusals.size(); ++index) {
    if (layers[index] > 1) {
      refusals[index].why += " (" + std::to_string(layers[index]) + " layers)";
    }
  }
  return refusals;
}

}  // namespace ovenbird
