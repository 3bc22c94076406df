// Angles first, then what they do to keys.
#include "bake/import_rotation.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "bake/import_probe.h"

namespace ovenbird {
namespace {

Failure refuse(const std::string& why) {
  return fail(Code::kUnsupported, "its rotary positions: " + why);
}

/// Angles of the positions 0, 1, 2 and `last`, [4, size].
Result<ov::Tensor> probe_angles(const RotationNodes& nodes, int64_t last) {
  const ProbeFeed feed{.inputs = {{"position_ids", row_of({0, 1, 2, last})}}};
  return probe(nodes.cos->input_value(0), feed);
}

bool is_near(double seen, double wanted) {
  return std::abs(seen - wanted) <= 1e-6 * std::abs(wanted);  // f32 is good for 1e-7
}

Result<ImportedRotation> rotation_from(const ov::Tensor& angles, uint32_t head_dim, int64_t last) {
  const size_t pairs = head_dim / 2;
  const ov::Shape& shape = angles.get_shape();
  const bool doubled = shape == ov::Shape{1, 4, head_dim};
  if ((!doubled && shape != ov::Shape{1, 4, pairs}) ||
      angles.get_element_type() != ov::element::f32) {
    return refuse("not every number of a head is turned");
  }
  const size_t size = shape[2];
  const float* numbers = angles.data<float>();
  ImportedRotation rotation{.angles_are_doubled = doubled};
  for (size_t index = 0; index < size; ++index) {
    const double frequency = numbers[size + index];
    const double turned[] = {0.0, frequency, 2 * frequency, frequency * static_cast<double>(last)};
    for (size_t row = 0; row < 4; ++row) {
      if (!is_near(numbers[row * size + index], turned[row])) {
        return refuse("angles do not grow with the position alone");
      }
    }
    if (index < pairs) {
      rotation.frequencies.push_back(frequency);
    } else if (rotation.frequencies[index - pairs] != frequency) {
      return refuse("the two halves of a head are not turned alike");
    }
  }
  return rotation;
}

/// The operations between a layer's new keys and the matrix that they come from.
std::map<std::string, int> operations_of(const Value& keys, const RotationNodes& nodes) {
  std::map<std::string, int> operations;
  std::set<ov::Node*> seen;
  std::vector<ov::Node*> open = {keys.get_node()};
  while (!open.empty()) {
    ov::Node* node = open.back();
    open.pop_back();
    if (!seen.insert(node).second || ov::is_type<op::Constant>(node)) continue;
    const bool is_rotation = node == nodes.cos.get() || node == nodes.sin.get();
    ++operations[node->get_type_name()];
    if (is_rotation || ov::is_type<op::MatMul>(node) || ov::is_type<op::ShapeOf>(node)) continue;
    for (const Value& input : node->input_values()) open.push_back(input.get_node());
  }
  return operations;
}

/// A layer that leaves out the rotation, or turns by other angles, is not like the first one.
Status check_layers_alike(const ImportedAttentions& attentions, const RotationNodes& nodes) {
  const auto first = operations_of(attentions.layers[0].new_key, nodes);
  if (!first.contains("Cos") || !first.contains("Sin")) return refuse("keys are not turned");
  for (size_t layer = 1; layer < attentions.layers.size(); ++layer) {
    if (operations_of(attentions.layers[layer].new_key, nodes) == first) continue;
    return refuse("keys of layer " + std::to_string(layer) +
                  " are turned otherwise than layer 0's");
  }
  return ok();
}

/// Keys of one head of head_dim numbers at position 0, and at `position`.
bool is_turned(const float* before, const float* after, const std::vector<double>& frequencies,
               int64_t position) {
  const size_t pairs = frequencies.size();
  double largest = 1e-3;  // what counts as zero beside the others
  for (size_t index = 0; index < 2 * pairs; ++index) {
    largest = std::max(largest, std::abs(double{before[index]}));
  }
  for (size_t pair = 0; pair < pairs; ++pair) {
    const double angle = frequencies[pair] * static_cast<double>(position);
    const double x = before[pair];
    const double y = before[pairs + pair];
    const double wanted[] = {x * std::cos(angle) - y * std::sin(angle),
                             y * std::cos(angle) + x * std::sin(angle)};
    if (std::abs(after[pair] - wanted[0]) > 1e-3 * largest) return false;
    if (std::abs(after[pairs + pair] - wanted[1]) > 1e-3 * largest) return false;
  }
  return true;
}

/// One token at several positions: in the first layer, keys differ by the rotation alone.
Status check_keys(const ImportedAttentions& attentions, const ImportedRotation& rotation) {
  const std::vector<int64_t> positions = {0, 1, 3, 50};
  const std::vector<int64_t> token(positions.size(), 5);  // any but the first, which may be padding
  const ProbeFeed feed{.inputs = {{"input_ids", row_of(token)},
                                  {"position_ids", row_of(positions)},
                                  {"attention_mask", row_of({1, 1, 1, 1})}}};
  const Result<ov::Tensor> keys = probe(attentions.layers[0].new_key, feed);
  if (!keys) return refuse("the first layer's keys: " + keys.error().message);
  const size_t head_dim = attentions.head_dim;
  if (keys->get_shape() != ov::Shape{1, attentions.kv_heads, positions.size(), head_dim} ||
      keys->get_element_type() != ov::element::f32) {
    return refuse("the first layer's keys have another shape than its cache");
  }
  for (size_t head = 0; head < attentions.kv_heads; ++head) {
    const float* rows = keys->data<float>() + head * positions.size() * head_dim;
    for (size_t row = 1; row < positions.size(); ++row) {
      if (!is_turned(rows, rows + row * head_dim, rotation.frequencies, positions[row])) {
        return refuse("keys are not turned in halves by one angle a pair");
      }
    }
  }
  return ok();
}

}  // namespace

Result<RotationNodes> find_rotation_nodes(const ov::Model& model) {
  RotationNodes found;
  size_t count = 0;
  for (const std::shared_ptr<ov::Node>& node : model.get_ordered_ops()) {
    const bool is_cos = ov::is_type<op::Cos>(node);
    if (!is_cos && !ov::is_type<op::Sin>(node)) continue;
    (is_cos ? found.cos : found.sin) = node;
    ++count;
  }
  if (count != 2 || !found.cos || !found.sin ||
      found.cos->input_value(0) != found.sin->input_value(0)) {
    return refuse("there are " + std::to_string(count) +
                  " cosines and sines, where one of each over the same angles is supported");
  }
  return found;
}

Result<ImportedRotation> find_rotation(const ov::Model& model, const ImportedAttentions& attentions,
                                       uint32_t context) {
  const Result<RotationNodes> nodes = find_rotation_nodes(model);
  if (!nodes) return Failure{nodes.error()};
  // Some rotations change for all positions once the last one is beyond a bound.
  std::optional<ImportedRotation> rotation;
  for (const int64_t last : {int64_t{3}, std::max<int64_t>(context, 4) - 1}) {
    const Result<ov::Tensor> angles = probe_angles(*nodes, last);
    if (!angles) return refuse(angles.error().message);
    const Result<ImportedRotation> seen = rotation_from(*angles, attentions.head_dim, last);
    if (!seen) return Failure{seen.error()};
    if (rotation && rotation->frequencies != seen->frequencies) {
      return refuse("angles depend on how long the text is");
    }
    rotation = *seen;
  }
  if (Status alike = check_layers_alike(attentions, *nodes); !alike) return Failure{alike.error()};
  if (Status turned = check_keys(attentions, *rotation); !turned) return Failure{turned.error()};
  return *rotation;
}

}  // namespace ovenbird
