// The IR's XML by pugixml, then checked: ids, ports and edges may say anything.
#include "npu/ir_graph.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>
#include <optional>
#include <pugixml.hpp>
#include <utility>

#include "base/limits.h"
#include "base/message_text.h"

namespace ovenbird {
namespace {

Failure corrupt(const std::string& what) { return fail(Code::kCorrupt, "graph: " + what); }

Failure corrupt_in(const IrLayer& layer, const std::string& what) {
  return corrupt("layer " + in_quotes(layer.id) + " (" + printable(layer.type) + " " +
                 in_quotes(layer.name) + "): " + what);
}

/// A port's precision is written in the words of the first IR: "FP16". All others are the type's
/// own name in capitals.
std::string type_of_precision(std::string_view precision) {
  static constexpr std::pair<std::string_view, const char*> kOldNames[] = {
      {"FP16", "f16"}, {"FP32", "f32"},     {"FP64", "f64"},
      {"BIN", "u1"},   {"BOOL", "boolean"}, {"UNSPECIFIED", "dynamic"}};
  for (const auto& [old_name, type] : kOldNames) {
    if (precision == old_name) return type;
  }
  std::string type(precision);
  std::transform(type.begin(), type.end(), type.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return type;
}

/// "a,b" are two names; a comma inside a name has a backslash before it.
std::vector<std::string> split_names(std::string_view text) {
  std::vector<std::string> names;
  std::string name;
  for (size_t index = 0; index < text.size(); ++index) {
    if (text[index] == '\\' && index + 1 < text.size()) {
      name += text[++index];
    } else if (text[index] == ',') {
      names.push_back(std::exchange(name, {}));
    } else {
      name += text[index];
    }
  }
  if (!name.empty()) names.push_back(std::move(name));
  return names;
}

template <typename Number>
std::optional<Number> read_whole(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// -1 is an open dimension, and the smallest there is.
std::optional<int64_t> read_dimension(std::string_view text) {
  const auto size = read_whole<int64_t>(text);
  return size && *size >= -1 ? size : std::nullopt;
}

/// "49152, 576"; "" is a scalar. Of a constant: nothing is open.
std::optional<std::vector<int64_t>> read_shape(std::string_view text) {
  std::vector<int64_t> shape;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    const auto size = read_dimension(text.substr(0, comma));
    if (!size || *size < 0 || shape.size() == limits::kIrRankMax) return std::nullopt;
    shape.push_back(*size);
    text.remove_prefix(std::min(comma + 1, text.size()));
    while (text.starts_with(' ')) text.remove_prefix(1);
  }
  return shape;
}

/// Where a layer's ports lie in IrLayer's vectors, by the ids that edges use.
struct PortPlaces {
  std::map<std::string_view, size_t> inputs;
  std::map<std::string_view, size_t> outputs;
};

class Reader {
 public:
  Result<IrGraph> read(std::string_view xml) {
    if (xml.size() > limits::kIrBytesMax) {
      return corrupt(std::to_string(xml.size()) + " bytes of XML; the limit is " +
                     std::to_string(limits::kIrBytesMax));
    }
    const pugi::xml_parse_result parsed = document_.load_buffer(xml.data(), xml.size());
    if (!parsed) {
      return corrupt("no XML at byte " + std::to_string(parsed.offset) + ": " +
                     parsed.description());
    }
    const pugi::xml_node net = document_.child("net");
    if (!net) return corrupt("the XML holds no \"net\"; is this an OpenVINO IR?");
    for (const pugi::xml_node node : net.child("layers").children("layer")) {
      if (Status added = add_layer(node); !added) return Failure{added.error()};
    }
    if (graph_.layers.empty()) return corrupt("it holds no layer");
    for (const pugi::xml_node node : net.child("edges").children("edge")) {
      if (Status added = add_edge(node); !added) return Failure{added.error()};
    }
    if (Status whole = check_connected(); !whole) return Failure{whole.error()};
    return std::move(graph_);
  }

 private:
  Status add_layer(const pugi::xml_node& node) {
    if (graph_.layers.size() == limits::kIrLayersMax) {
      return corrupt("more than " + std::to_string(limits::kIrLayersMax) + " layers");
    }
    IrLayer layer{.id = node.attribute("id").value(),
                  .name = node.attribute("name").value(),
                  .type = node.attribute("type").value(),
                  .opset = node.attribute("version").value()};
    if (layer.id.empty() || layer.type.empty()) return corrupt_in(layer, "has no id or no type");
    const std::string_view id = node.attribute("id").value();
    if (!places_.try_emplace(id, graph_.layers.size()).second) {
      return corrupt_in(layer, "there are two with this id");
    }
    if (layer.type == "Const") layer.constant = read_constant(node.child("data"));
    PortPlaces ports;
    if (Status read = read_outputs(node, layer, ports); !read) return read;
    for (const pugi::xml_node port : node.child("input").children("port")) {
      if (ports.inputs.size() == limits::kIrPortsMax) return too_many_ports(layer);
      const size_t index = ports.inputs.size();
      if (!ports.inputs.try_emplace(port.attribute("id").value(), index).second) {
        return corrupt_in(layer, "has two inputs with one id");
      }
    }
    layer.sources.resize(ports.inputs.size(), kNowhere);
    graph_.layers.push_back(std::move(layer));
    ports_.push_back(std::move(ports));
    return ok();
  }

  static std::optional<IrConstant> read_constant(const pugi::xml_node& data) {
    const auto shape = read_shape(data.attribute("shape").value());
    const auto offset = read_whole<uint64_t>(data.attribute("offset").value());
    const auto bytes = read_whole<uint64_t>(data.attribute("size").value());
    if (!shape || !offset || !bytes) return std::nullopt;
    return IrConstant{.type = data.attribute("element_type").value(),
                      .shape = *shape,
                      .offset = *offset,
                      .bytes = *bytes};
  }

  static Failure too_many_ports(const IrLayer& layer) {
    return corrupt_in(layer, "has more than " + std::to_string(limits::kIrPortsMax) + " ports");
  }

  static Status read_outputs(const pugi::xml_node& node, IrLayer& layer, PortPlaces& ports) {
    // A rank that is open has no dimensions in its port; only the parameter's own data says so.
    const std::string_view shape = node.child("data").attribute("shape").value();
    const bool open_rank = layer.type == "Parameter" && shape.starts_with("...");
    for (const pugi::xml_node port : node.child("output").children("port")) {
      if (layer.outputs.size() == limits::kIrPortsMax) return too_many_ports(layer);
      IrOutput output{.type = type_of_precision(port.attribute("precision").value()),
                      .names = split_names(port.attribute("names").value())};
      if (open_rank) output.shape.push_back(-1);
      for (const pugi::xml_node dimension : port.children("dim")) {
        const std::optional<int64_t> size = read_dimension(dimension.child_value());
        if (!size) {
          return corrupt_in(layer, "a dimension of " + in_quotes(dimension.child_value()));
        }
        if (output.shape.size() == limits::kIrRankMax) {
          return corrupt_in(layer,
                            "more than " + std::to_string(limits::kIrRankMax) + " dimensions");
        }
        output.shape.push_back(*size);
      }
      if (!ports.outputs.try_emplace(port.attribute("id").value(), layer.outputs.size()).second) {
        return corrupt_in(layer, "has two outputs with one id");
      }
      layer.outputs.push_back(std::move(output));
    }
    return ok();
  }

  Status add_edge(const pugi::xml_node& node) {
    const auto text = [&](const char* name) { return node.attribute(name).value(); };
    const auto from = places_.find(text("from-layer"));
    const auto to = places_.find(text("to-layer"));
    if (from == places_.end() || to == places_.end()) {
      return corrupt("an edge from layer " + in_quotes(text("from-layer")) + " to layer " +
                     in_quotes(text("to-layer")) + "; one of them is not there");
    }
    IrLayer& taker = graph_.layers[to->second];
    const auto& outputs = ports_[from->second].outputs;
    const auto& inputs = ports_[to->second].inputs;
    const auto output = outputs.find(text("from-port"));
    const auto input = inputs.find(text("to-port"));
    if (output == outputs.end()) {
      return corrupt_in(graph_.layers[from->second],
                        "has no output " + in_quotes(text("from-port")) + ", but an edge from it");
    }
    if (input == inputs.end()) {
      return corrupt_in(taker,
                        "has no input " + in_quotes(text("to-port")) + ", but an edge to it");
    }
    IrSource& source = taker.sources[input->second];
    if (source.layer != kNowhere.layer) {
      return corrupt_in(taker, "two edges to input " + in_quotes(text("to-port")));
    }
    source = {.layer = from->second, .output = output->second};
    return ok();
  }

  Status check_connected() const {
    for (const IrLayer& layer : graph_.layers) {
      for (const IrSource& source : layer.sources) {
        if (source.layer == kNowhere.layer) return corrupt_in(layer, "an input without an edge");
      }
    }
    return ok();
  }

  static constexpr IrSource kNowhere{.layer = limits::kIrLayersMax, .output = 0};

  pugi::xml_document document_;  // holds the texts that the maps' keys point into
  IrGraph graph_;
  std::vector<PortPlaces> ports_;              // one for each layer
  std::map<std::string_view, size_t> places_;  // of layers, by id
};

}  // namespace

Result<IrGraph> read_ir_graph(std::string_view xml) { return Reader().read(xml); }

}  // namespace ovenbird
