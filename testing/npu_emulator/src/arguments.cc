// The arguments of a graph, read off its Parameters and Results.
#include <limits>

#include "abi/npu_extensions.h"
#include "src/element_types.h"
#include "src/model.h"

namespace npu_emulator {
namespace {

/// Bytes of a dense tensor, or why the interface cannot express it.
std::variant<uint64_t, Refusal> dense_bytes(const ovenbird::IrOutput& port,
                                            const std::string& name) {
  const ElementType* type = find_element_type(port.type);
  if (!type) return Refusal{name + ": the element type " + port.type + " is not known"};
  if (port.shape.size() > kArgumentDimensions) {
    return Refusal{name + ": rank " + std::to_string(port.shape.size()) + ", and 5 is the most"};
  }
  uint64_t bits = type->bits;
  for (const int64_t size : port.shape) {
    if (size < 0) return Refusal{name + ": its shape is open, and this device takes static ones"};
    const auto count = static_cast<uint64_t>(size);
    if (count != 0 && bits > (uint64_t{1} << 45) / count) {
      return Refusal{name + ": it is larger than any memory"};
    }
    bits *= count;
  }
  return (bits + 7) / 8;
}

}  // namespace

std::variant<std::vector<Argument>, Refusal> arguments_of(const ovenbird::IrGraph& graph) {
  std::vector<Argument> arguments;
  for (const char* kind : {"Parameter", "Result"}) {
    for (const ovenbird::IrLayer& layer : graph.layers) {
      if (layer.type != kind) continue;
      const bool is_input = layer.type == "Parameter";
      if ((is_input && layer.outputs.size() != 1) || (!is_input && layer.sources.size() != 1)) {
        return Refusal{layer.name + ": a " + layer.type + " with the wrong number of ports"};
      }
      const ovenbird::IrOutput& port =
          is_input ? layer.outputs[0] : graph.output_of(layer.sources[0]);
      const auto bytes = dense_bytes(port, layer.name);
      if (const auto* refusal = std::get_if<Refusal>(&bytes)) return *refusal;
      arguments.push_back({.is_input = is_input,
                           .name = layer.name,
                           .type = port.type,
                           .shape = port.shape,
                           .names = port.names,
                           .bytes = std::get<uint64_t>(bytes)});
    }
  }
  return arguments;
}

}  // namespace npu_emulator
