// The ports that a step graph must have, one by one.
#include "engine/port_check.h"

#include <algorithm>
#include <string>
#include <vector>

namespace ovenbird {
namespace {

constexpr int64_t kOpen = -1;

std::string text_of(const Port& port) {
  std::string text = port.type + " [";
  for (size_t axis = 0; axis < port.shape.size(); ++axis) {
    text +=
        (axis ? "," : "") + (port.shape[axis] == kOpen ? "?" : std::to_string(port.shape[axis]));
  }
  return text + "]";
}

/// Keys and values of all layers, `rows` each, under names that begin with `prefix`.
void add_cache(const std::string& prefix, int64_t rows, const Manifest& manifest,
               std::vector<Port>& ports) {
  const ModelFacts& model = manifest.model;
  const char* type = manifest.cache_type == CacheType::kF16 ? "f16" : "f32";
  for (uint32_t layer = 0; layer < model.layers; ++layer) {
    for (const char* kind : {".key", ".value"}) {
      ports.push_back({.name = prefix + std::to_string(layer) + kind,
                       .type = type,
                       .shape = {1, model.kv_heads, rows, model.head_dim}});
    }
  }
}

std::vector<Port> inputs_of(const GraphInfo& graph, const Manifest& manifest) {
  const int64_t width = graph.open_width ? kOpen : int64_t{graph.width};
  const int64_t past = graph.open_past ? kOpen : int64_t{graph.past};
  const int64_t columns = width == kOpen || past == kOpen ? kOpen : past + width;
  std::vector<Port> ports = {{.name = "input_ids", .type = "i64", .shape = {1, width}},
                             {.name = "attention_mask", .type = "i64", .shape = {1, columns}},
                             {.name = "position_ids", .type = "i64", .shape = {1, width}}};
  if (past != 0) add_cache("past_key_values.", past, manifest, ports);
  return ports;
}

std::vector<Port> outputs_of(const GraphInfo& graph, const Manifest& manifest) {
  const int64_t width = graph.open_width ? kOpen : int64_t{graph.width};
  const bool some_rows = graph.logit_rows > 0 && width != kOpen;
  const int64_t rows = some_rows ? std::min(width, int64_t{graph.logit_rows}) : width;
  std::vector<Port> ports = {
      {.name = "logits", .type = "f32", .shape = {1, rows, manifest.model.vocabulary}}};
  add_cache("present.", width, manifest, ports);
  return ports;
}

Port port_of(const ov::Output<const ov::Node>& value) {
  Port port{.type = value.get_element_type().get_type_name()};
  const ov::PartialShape& shape = value.get_partial_shape();
  if (shape.rank().is_dynamic()) return port;
  for (const ov::Dimension& dimension : shape) {
    port.shape.push_back(dimension.is_static() ? dimension.get_length() : kOpen);
  }
  return port;
}

Status check(const std::vector<ov::Output<const ov::Node>>& values, const std::vector<Port>& wanted,
             const std::string& graph) {
  if (values.size() != wanted.size()) {
    return fail(Code::kCorrupt, "graph " + graph + ": it has " + std::to_string(values.size()) +
                                    " inputs or outputs where its manifest needs " +
                                    std::to_string(wanted.size()) + "; bake again");
  }
  for (const Port& port : wanted) {
    const auto found = std::find_if(values.begin(), values.end(), [&](const auto& value) {
      return value.get_names().contains(port.name);
    });
    const std::string seen = found == values.end() ? "missing" : text_of(port_of(*found));
    if (seen != text_of(port)) {
      return fail(Code::kCorrupt, "graph " + graph + ": " + port.name + " is " + seen +
                                      ", its manifest needs " + text_of(port) + "; bake again");
    }
  }
  return ok();
}

}  // namespace

Status check_ports(const ov::CompiledModel& model, const GraphInfo& graph,
                   const Manifest& manifest) {
  if (Status inputs = check(model.inputs(), inputs_of(graph, manifest), graph.file); !inputs) {
    return inputs;
  }
  return check(model.outputs(), outputs_of(graph, manifest), graph.file);
}

}  // namespace ovenbird
