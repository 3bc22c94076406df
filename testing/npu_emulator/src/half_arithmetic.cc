// Rounding by arithmetic: the CPU plugin turns an f16 graph into f32, so conversions would be
// dropped.
//
// Rounding to 11 of 24 bits is Veltkamp's splitting (Dekker 1971, "A floating-point technique for
// extending the available precision"): with c = x * (2^13 + 1), the high part is c - (c - x).
#include "src/half_arithmetic.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <pugixml.hpp>
#include <set>
#include <sstream>

namespace npu_emulator {
namespace {

/// Operations whose result must be rounded; the others only move what has been rounded before.
const std::set<std::string_view>& arithmetic() {
  static const auto& types = *new std::set<std::string_view>{"Add",
                                                             "Subtract",
                                                             "Multiply",
                                                             "Divide",
                                                             "MatMul",
                                                             "Power",
                                                             "Sqrt",
                                                             "Exp",
                                                             "Log",
                                                             "ReduceMean",
                                                             "ReduceSum",
                                                             "SoftMax",
                                                             "Softmax",
                                                             "Sigmoid",
                                                             "Swish",
                                                             "Gelu",
                                                             "Tanh",
                                                             "Sin",
                                                             "Cos",
                                                             "Erf",
                                                             "SquaredDifference",
                                                             "MVN",
                                                             "Convolution",
                                                             "RMS",
                                                             "ScaledDotProductAttention",
                                                             "FloorMod",
                                                             "CumSum"};
  return types;
}

/// "--config ... NPU_COMPILATION_MODE_PARAMS="... compute-layers-with-higher-precision=A,B ...".
std::set<std::string> higher_precision_layers(const std::string& build_flags) {
  constexpr std::string_view kOption = "compute-layers-with-higher-precision=";
  std::set<std::string> names;
  const size_t at = build_flags.find(kOption);
  if (at == std::string::npos) return names;
  const size_t begin = at + kOption.size();
  std::istringstream list(
      build_flags.substr(begin, build_flags.find_first_of(" \"", begin) - begin));
  for (std::string name; std::getline(list, name, ',');) names.insert(name);
  return names;
}

/// The addition in an RMSNorm, as Intel's open compiler knows it: of a ReduceMean, and first used
/// by a square root. Its sum of squares is what overflows.
bool is_addition_of_norm(const ovenbird::IrGraph& graph, size_t index) {
  const ovenbird::IrLayer& layer = graph.layers[index];
  if (layer.type != "Add") return false;
  const auto adds = [&](const ovenbird::IrSource& source) {
    return graph.layers[source.layer].type == "ReduceMean";
  };
  if (std::none_of(layer.sources.begin(), layer.sources.end(), adds)) return false;
  for (const ovenbird::IrLayer& user : graph.layers) {
    for (const ovenbird::IrSource& source : user.sources) {
      if (source.layer == index) return user.type == "Sqrt";
    }
  }
  return false;
}

/// The option's words are types of operations, and one pattern.
bool is_exempt(const ovenbird::IrGraph& graph, size_t index, const std::set<std::string>& exempt) {
  return exempt.contains(graph.layers[index].type) ||
         (exempt.contains("Add_RMSNorm") && is_addition_of_norm(graph, index));
}

/// For each layer, whether anything in front of it is a Parameter. Weights do not depend on one.
std::vector<bool> depends_on_input(const ovenbird::IrGraph& graph) {
  std::vector<bool> depends(graph.layers.size());
  for (bool changed = true; changed;) {  // an IR's layers are in order, so that once is enough
    changed = false;
    for (size_t index = 0; index < graph.layers.size(); ++index) {
      if (depends[index]) continue;
      bool found = graph.layers[index].type == "Parameter";
      for (const auto& source : graph.layers[index].sources) found |= depends[source.layer];
      depends[index] = found;
      changed |= found;
    }
  }
  return depends;
}

/// One output of a layer, by the names that edges use.
struct Place {
  std::string layer;
  std::string port;
};

/// Adds layers and edges to an IR, and constants to its weights.
class Writer {
 public:
  Writer(pugi::xml_node net, std::vector<uint8_t>& weights)
      : layers_(net.child("layers")), edges_(net.child("edges")), weights_(weights) {
    while (weights_.size() % 64 != 0) weights_.push_back(0);
  }

  Place scalar(float value) {
    const size_t offset = weights_.size();
    weights_.resize(offset + sizeof value);
    std::memcpy(weights_.data() + offset, &value, sizeof value);
    pugi::xml_node layer = add_layer("Const");
    pugi::xml_node data = layer.append_child("data");
    data.append_attribute("element_type") = "f32";
    data.append_attribute("shape") = "";
    data.append_attribute("offset") = static_cast<unsigned long long>(offset);
    data.append_attribute("size") = 4;
    return output_of(layer, 0, "FP32", {});
  }

  /// An operation on two or three places. `like`: the port whose shape the result has.
  Place operation(const char* type, const std::vector<Place>& inputs, pugi::xml_node like,
                  const char* precision = "FP32") {
    pugi::xml_node layer = add_layer(type);
    pugi::xml_node data = layer.append_child("data");
    if (std::strcmp(type, "Abs") != 0) data.append_attribute("auto_broadcast") = "numpy";
    if (std::strcmp(type, "Convert") == 0) {
      data.remove_attributes();
      data.append_attribute("destination_type") = std::strcmp(precision, "FP16") ? "f32" : "f16";
    }
    pugi::xml_node ports = layer.append_child("input");
    for (size_t index = 0; index < inputs.size(); ++index) {
      ports.append_child("port").append_attribute("id") = static_cast<unsigned>(index);
      connect(inputs[index], {layer.attribute("id").value(), std::to_string(index)});
    }
    return output_of(layer, static_cast<unsigned>(inputs.size()), precision, like);
  }

  void connect(const Place& from, const Place& to) {
    pugi::xml_node edge = edges_.append_child("edge");
    edge.append_attribute("from-layer") = from.layer.c_str();
    edge.append_attribute("from-port") = from.port.c_str();
    edge.append_attribute("to-layer") = to.layer.c_str();
    edge.append_attribute("to-port") = to.port.c_str();
  }

  std::vector<pugi::xml_node> edges_from(const Place& place) const {
    std::vector<pugi::xml_node> found;
    for (pugi::xml_node edge : edges_.children("edge")) {
      if (place.layer == edge.attribute("from-layer").value() &&
          place.port == edge.attribute("from-port").value()) {
        found.push_back(edge);
      }
    }
    return found;
  }

  pugi::xml_node layers() const { return layers_; }

 private:
  pugi::xml_node add_layer(const char* type) {
    const std::string id = "1000000" + std::to_string(next_++);
    pugi::xml_node layer = layers_.append_child("layer");
    layer.append_attribute("id") = id.c_str();
    layer.append_attribute("name") = ("npu_emulator_" + std::to_string(next_)).c_str();
    layer.append_attribute("type") = type;
    layer.append_attribute("version") = "opset1";
    return layer;
  }

  Place output_of(pugi::xml_node layer, unsigned id, const char* precision, pugi::xml_node like) {
    pugi::xml_node port = layer.append_child("output").append_child("port");
    port.append_attribute("id") = id;
    port.append_attribute("precision") = precision;
    for (pugi::xml_node dim : like.children("dim")) port.append_copy(dim);
    return {layer.attribute("id").value(), std::to_string(id)};
  }

  pugi::xml_node layers_;
  pugi::xml_node edges_;
  std::vector<uint8_t>& weights_;
  size_t next_ = 0;
};

/// The constants that every rounding uses.
struct Constants {
  Place splitter, largest, infinity;
};

/// The place that holds what `value` is on the device.
Place rounded(Writer& writer, const Constants& constants, Place value, pugi::xml_node port) {
  const bool is_half = std::strcmp(port.attribute("precision").value(), "FP16") == 0;
  if (is_half) value = writer.operation("Convert", {value}, port);
  const Place scaled = writer.operation("Multiply", {value, constants.splitter}, port);
  const Place low = writer.operation("Subtract", {scaled, value}, port);
  const Place high = writer.operation("Subtract", {scaled, low}, port);
  const Place size = writer.operation("Abs", {value}, port);
  const Place is_over = writer.operation("Greater", {size, constants.largest}, port, "BOOL");
  const Place infinite = writer.operation("Multiply", {value, constants.infinity}, port);
  const Place result = writer.operation("Select", {is_over, infinite, high}, port);
  return is_half ? writer.operation("Convert", {result}, port, "FP16") : result;
}

}  // namespace

RewrittenModel with_half_arithmetic(const CompilerInput& input, const std::string& build_flags) {
  RewrittenModel model;
  model.weights.assign(input.weights.begin(), input.weights.end());
  pugi::xml_document document;
  document.load_buffer(input.xml.data(), input.xml.size());  // was read once already
  Writer writer(document.child("net"), model.weights);
  // The largest f32 below 65520, from which on f16 rounds to infinity.
  const Constants constants{.splitter = writer.scalar(8193.0f),
                            .largest = writer.scalar(65519.996f),
                            .infinity = writer.scalar(std::numeric_limits<float>::infinity())};
  const std::vector<bool> depends = depends_on_input(input.graph);
  const std::set<std::string> exempt = higher_precision_layers(build_flags);
  std::vector<std::pair<Place, pugi::xml_node>> places;
  size_t index = 0;
  for (pugi::xml_node layer : writer.layers().children("layer")) {
    if (index == input.graph.layers.size()) break;  // what follows has been added here
    const ovenbird::IrLayer& known = input.graph.layers[index];
    const bool wanted = depends[index] && arithmetic().contains(known.type) &&
                        !is_exempt(input.graph, index, exempt);
    ++index;
    if (!wanted) continue;
    for (pugi::xml_node port : layer.child("output").children("port")) {
      const std::string_view precision = port.attribute("precision").value();
      if (precision != "FP32" && precision != "FP16") continue;
      places.push_back({{known.id, port.attribute("id").value()}, port});
    }
  }
  for (const auto& [place, port] : places) {
    const std::vector<pugi::xml_node> edges = writer.edges_from(place);
    const Place result = rounded(writer, constants, place, port);
    for (pugi::xml_node edge : edges) {
      edge.attribute("from-layer") = result.layer.c_str();
      edge.attribute("from-port") = result.port.c_str();
    }
  }
  std::ostringstream text;
  document.save(text);
  model.xml = text.str();
  return model;
}

}  // namespace npu_emulator
