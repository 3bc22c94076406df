// A copy of the exported graph for each step graph: its attention, masks, cosines and ports are
// replaced, then what is left of arithmetic on shapes is folded.
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "bake/attention_masks.h"
#include "bake/import_graph.h"
#include "bake/import_probe.h"
#include "bake/rotary_ops.h"
#include "bake/step_ops.h"
#include "base/message_text.h"

namespace ovenbird {
namespace {

/// Shapes have few numbers; more than so many are data.
constexpr size_t kShapeNumbersMax = 4096;

bool is_shape_arithmetic(const ov::Node& node) {
  for (const ov::Output<const ov::Node>& output : node.outputs()) {
    const ov::element::Type type = output.get_element_type();
    const bool counts =
        type == ov::element::i64 || type == ov::element::i32 || type == ov::element::boolean;
    if (!counts || output.get_partial_shape().is_dynamic()) return false;
    if (ov::shape_size(output.get_shape()) > kShapeNumbersMax) return false;
  }
  return node.get_output_size() > 0;
}

/// The values of a node that depends on constants and closed shapes alone; empty: it does not, or
/// they are no arithmetic on shapes. Weights are floats in the end, and are left as they are.
ov::OutputVector folded(const std::shared_ptr<ov::Node>& node) {
  if (ov::is_type<op::Constant>(node) || !is_shape_arithmetic(*node)) return {};
  if (ov::is_type<op::ShapeOf>(node) || ov::is_type<ov::op::v0::ShapeOf>(node)) {
    if (node->get_input_partial_shape(0).is_dynamic()) return {};
    return {op::Constant::create(node->get_output_element_type(0), node->get_output_shape(0),
                                 node->get_input_shape(0))};
  }
  for (const Value& input : node->input_values()) {
    if (!ov::is_type<op::Constant>(input.get_node())) return {};
  }
  ov::OutputVector values(node->get_output_size());
  if (node->get_input_size() == 0 || !node->constant_fold(values, node->input_values())) return {};
  return values;
}

void fold_shapes(ov::Model& model) {
  for (const std::shared_ptr<ov::Node>& node : model.get_ordered_ops()) {
    const ov::OutputVector values = folded(node);
    for (size_t index = 0; index < values.size(); ++index) {
      node->output(index).replace(values[index]);
    }
  }
  model.validate_nodes_and_infer_types();
}

/// Tensors lose the names that the export gave them, so that a port has its own name and no other.
void name_ports_alone(ov::Model& model) {
  for (const std::shared_ptr<ov::Node>& node : model.get_ops()) {
    for (Value output : node->outputs()) output.set_names({});
  }
  const auto name = [](const auto& ports) {
    for (const auto& port : ports) port->output(0).set_names({port->get_friendly_name()});
  };
  name(model.get_parameters());
  name(model.get_results());
}

/// Whether a node does the same to every row: numbers of its own must not have rows.
bool works_on_each_row(const ov::Node& node) {
  const bool unary = ov::is_type<op::Convert>(&node) || ov::is_type<op::Tanh>(&node);
  const bool binary = ov::is_type<op::Multiply>(&node) || ov::is_type<op::Divide>(&node) ||
                      ov::is_type<op::Add>(&node);
  if (unary) return true;
  if (!binary) return false;
  const ov::PartialShape& other = node.get_input_partial_shape(1);
  if (other.is_dynamic()) return false;
  return other.size() < 2 || ov::shape_size(other.to_shape()) == 1;
}

class ImportedStepBuilder : StepOps {
 public:
  ImportedStepBuilder(const ImportedModel& imported, const RotaryTables& tables,
                      const StepShape& shape, CacheType cache)
      : StepOps(shape, {.kv_heads = static_cast<uint32_t>(imported.attentions.kv_heads),
                        .head_dim = static_cast<uint32_t>(imported.attentions.head_dim),
                        .type = cache}),
        imported_(imported),
        tables_(tables) {}

  Result<std::shared_ptr<ov::Model>> build() {
    model_ = imported_.model->clone();
    Result<ImportedAttentions> attentions = find_attentions(*model_);  // found before
    if (!attentions) return Failure{attentions.error()};
    make_inputs();
    masks_ =
        make_attention_masks(*this, shape_,
                             {.attention_mask = mask_,
                              .position_ids = positions_,
                              .query_heads_per_key_head = attentions->heads / attentions->kv_heads,
                              .joins_keys = is_wide()});
    if (has_positions_bound()) {
      if (Status done = look_angles_up(); !done) return Failure{done.error()};
    }
    add_result(logits(), "logits");
    for (size_t layer = 0; layer < attentions->layers.size(); ++layer) {
      replace_attention(layer, attentions->layers[layer]);
    }
    if (Status known = check_inputs(); !known) return Failure{known.error()};
    auto graph = std::make_shared<ov::Model>(results_, parameters_, "step_graph");
    fold_shapes(*graph);
    name_ports_alone(*graph);
    return graph;
  }

 private:
  // --- inputs

  /// The export's input of that name gives way to one of a step graph's shape.
  Value replace_parameter(const std::string& name, ov::PartialShape shape) {
    Value old = find_parameter(*model_, name)->output(0);
    const Value fresh = add_parameter(name, ov::element::i64, std::move(shape));
    old.replace(fresh);
    return fresh;
  }

  void make_inputs() {
    ids_ = replace_parameter("input_ids", {1, width_dimension()});
    mask_ = add_parameter("attention_mask", ov::element::i64,
                          {1, past_dimension() + width_dimension()});
    positions_ = replace_parameter("position_ids", {1, width_dimension()});
  }

  /// What the export still asks of inputs that a step graph has not, or that mean something else.
  Status check_inputs() const {
    ov::OutputVector values;
    for (const std::shared_ptr<op::Result>& result : results_) values.push_back(result->output(0));
    for (const std::shared_ptr<op::Parameter>& parameter : parameters_behind(values)) {
      if (std::find(parameters_.begin(), parameters_.end(), parameter) != parameters_.end()) {
        continue;
      }
      return fail(Code::kUnsupported, "it uses its input " +
                                          in_quotes(parameter->output(0).get_any_name()) +
                                          " for more than masks and attention");
    }
    return ok();
  }

  // --- positions

  /// The tables' rows in place of cosines and sines, so that no device computes them of large
  /// numbers.
  Status look_angles_up() {
    const Result<RotationNodes> nodes = find_rotation_nodes(*model_);
    if (!nodes) return Failure{nodes.error()};
    const RopeTables names = rope_tables(LayerRope::kGlobal);
    for (const auto& [node, name, table] : {std::tuple(nodes->cos, names.cos, tables_.cos),
                                            std::tuple(nodes->sin, names.sin, tables_.sin)}) {
      const auto constant = std::make_shared<op::Constant>(table);
      constant->set_friendly_name(name);
      Value rows = make<op::Gather>(constant, positions_, integer(0));
      if (imported_.rotation.angles_are_doubled) {
        rows = make<op::Concat>(ov::OutputVector{rows, rows}, 2);
      }
      node->output(0).replace(rows);
    }
    return ok();
  }

  // --- attention

  void replace_attention(size_t layer, const ImportedAttention& attention) {
    const ImportedAttentions& all = imported_.attentions;
    const int64_t heads = all.heads, kv_heads = all.kv_heads, size = all.head_dim;
    const Value scaled = make<op::Multiply>(attention.query, number(attention.scale));
    const Value query =
        reshape(scaled, {1, kv_heads, shape_.open_width ? -1 : width() * heads / kv_heads, size});
    const KeyValue fresh{attention.new_key, attention.new_value};
    const Value mixed = mix(layer, query, fresh, masks_, 0.0f);
    const Value whole = reshape(mixed, {1, heads, width(), size});
    whole.get_node()->set_friendly_name(attention.node->get_friendly_name());
    attention.node->output(0).replace(whole);
    add_present(layer, fresh);
  }

  // --- logits

  /// Of the last rows alone, cut before the head if it can be found.
  Value logits() const {
    const Value all = to_f32(find_result(*model_, "logits")->input_value(0));
    if (!cuts_rows()) return all;
    ov::Node* node = all.get_node();
    while (works_on_each_row(*node)) node = node->get_input_node_ptr(0);
    if (!ov::is_type<op::MatMul>(node) || node->get_input_partial_shape(0).rank() != 3) {
      return last_rows(all);
    }
    node->input(0).replace_source_output(last_rows(node->input_value(0)));
    return all;
  }

  const ImportedModel& imported_;
  const RotaryTables& tables_;
  std::shared_ptr<ov::Model> model_;
  Value ids_, mask_, positions_;
  AttentionMasks masks_;
};

}  // namespace

Result<std::shared_ptr<ov::Model>> import_step_graph(const ImportedModel& imported,
                                                     const RotaryTables& tables,
                                                     const StepShape& shape, CacheType cache) {
  return ImportedStepBuilder(imported, tables, shape, cache).build();
}

}  // namespace ovenbird
