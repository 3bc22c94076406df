// The checks, cheapest first: each constant, each operation, then the ports.
#include "bake/import_check.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "base/message_text.h"

namespace ovenbird {
namespace {

constexpr std::string_view kPastPrefix = "past_key_values.";
constexpr std::string_view kPresentPrefix = "present.";

/// Bits of one number; none: a type that no weights have.
std::optional<uint64_t> bits_of(std::string_view type) {
  static constexpr std::pair<std::string_view, uint64_t> kBits[] = {
      {"i4", 4},   {"u4", 4},      {"nf4", 4},    {"f4e2m1", 4}, {"i8", 8},
      {"u8", 8},   {"boolean", 8}, {"f8e4m3", 8}, {"f8e5m2", 8}, {"f8e8m0", 8},
      {"i16", 16}, {"u16", 16},    {"f16", 16},   {"bf16", 16},  {"i32", 32},
      {"u32", 32}, {"f32", 32},    {"i64", 64},   {"u64", 64},   {"f64", 64}};
  for (const auto& [name, bits] : kBits) {
    if (type == name) return bits;
  }
  return std::nullopt;
}

std::string name_of(const IrLayer& layer) {
  return printable(layer.type) + " " + in_quotes(layer.name);
}

/// Bytes that so many numbers take; none if they are more than any file has.
std::optional<uint64_t> bytes_of(const std::vector<int64_t>& shape, uint64_t bits) {
  uint64_t count = 1;
  for (const int64_t size : shape) {
    if (size == 0) return 0;
    if (count > (uint64_t{1} << 56) / static_cast<uint64_t>(size)) return std::nullopt;
    count *= static_cast<uint64_t>(size);
  }
  return (count * bits + 7) / 8;
}

Status check_constant(const IrLayer& layer, uint64_t weights_bytes) {
  if (!layer.constant) {
    return fail(Code::kCorrupt, name_of(layer) + " does not say where its numbers lie");
  }
  const IrConstant& constant = *layer.constant;
  const std::optional<uint64_t> bits = bits_of(constant.type);
  if (!bits) {
    return fail(Code::kUnsupported, name_of(layer) + " holds " + in_quotes(constant.type) +
                                        ", which is no type of weights that is known");
  }
  if (constant.bytes > weights_bytes || constant.offset > weights_bytes - constant.bytes) {
    return fail(Code::kCorrupt,
                name_of(layer) + " lies at byte " + std::to_string(constant.offset) + ", " +
                    std::to_string(constant.bytes) + " bytes long, and openvino_model.bin has " +
                    std::to_string(weights_bytes) + " (is it cut, or another model's?)");
  }
  if (bytes_of(constant.shape, *bits) != constant.bytes) {
    return fail(Code::kCorrupt, name_of(layer) + " has " + std::to_string(constant.bytes) +
                                    " bytes, which is not what its shape and type take");
  }
  return ok();
}

Status check_operation(const IrLayer& layer) {
  if (!layer.opset.starts_with("opset")) {
    return fail(Code::kUnsupported, name_of(layer) + " comes from " + in_quotes(layer.opset) +
                                        ": only OpenVINO's own operations are supported");
  }
  static constexpr std::array<std::string_view, 3> kFlow = {"If", "Loop", "TensorIterator"};
  if (std::find(kFlow.begin(), kFlow.end(), layer.type) != kFlow.end()) {
    return fail(Code::kUnsupported, name_of(layer) + ": no graph with branches or loops");
  }
  return ok();
}

bool has_name(const IrOutput& output, std::string_view name) {
  return std::find(output.names.begin(), output.names.end(), name) != output.names.end();
}

bool has_prefix(const IrOutput& output, std::string_view prefix) {
  return std::any_of(output.names.begin(), output.names.end(),
                     [&](const std::string& name) { return name.starts_with(prefix); });
}

std::string first_name(const IrLayer& layer, const IrOutput& output) {
  return output.names.empty() ? layer.name : output.names[0];
}

/// Why an input is not that of a plain decoder of text.
std::string reason_against(std::string_view input) {
  if (input == "inputs_embeds") return "it takes embeddings, as part of a vision or speech model";
  if (input == "token_type_ids") return "token types are not supported";
  if (input.starts_with("decoder_") || input.starts_with("encoder_")) {
    return "an encoder with a decoder is not supported";
  }
  return "a decoder takes input_ids, attention_mask, position_ids and its cache";
}

/// Which of the inputs that a decoder must have were seen.
struct Ports {
  bool ids = false, mask = false, positions = false, beams = false, logits = false;
  bool state = false, past = false;
};

Status note_input(const IrLayer& layer, Ports& ports) {
  if (layer.outputs.size() != 1) {
    return fail(Code::kCorrupt, name_of(layer) + " does not give one thing");
  }
  const IrOutput& output = layer.outputs[0];
  const auto is = [&](std::string_view name) { return has_name(output, name); };
  if (is("input_ids")) return ports.ids = true, ok();
  if (is("attention_mask")) return ports.mask = true, ok();
  if (is("position_ids")) return ports.positions = true, ok();
  if (is("beam_idx")) return ports.beams = true, ok();
  if (has_prefix(output, kPastPrefix)) return ports.past = true, ok();
  const std::string name = first_name(layer, output);
  return fail(Code::kUnsupported,
              "it has the input " + in_quotes(name) + ": " + reason_against(name));
}

Status note_output(const IrGraph& graph, const IrLayer& layer, Ports& ports) {
  if (layer.sources.size() != 1) {
    return fail(Code::kCorrupt, name_of(layer) + " does not take one thing");
  }
  const IrSource& source = layer.sources[0];
  const IrOutput& output = graph.output_of(source);
  if (has_name(output, "logits")) return ports.logits = true, ok();
  if (has_prefix(output, kPresentPrefix)) return ok();
  const std::string name = first_name(graph.layers[source.layer], output);
  return fail(Code::kUnsupported, "it has the output " + in_quotes(name) +
                                      ": a decoder gives logits and its cache alone (export with "
                                      "--task text-generation-with-past)");
}

Result<CacheForm> cache_form(const Ports& ports) {
  const std::pair<bool, const char*> wanted[] = {{ports.ids, "input input_ids"},
                                                 {ports.mask, "input attention_mask"},
                                                 {ports.positions, "input position_ids"},
                                                 {ports.logits, "output logits"}};
  for (const auto& [is_there, name] : wanted) {
    if (is_there) continue;
    return fail(Code::kUnsupported,
                std::string("it has no ") + name + ", which a decoder of text needs");
  }
  if (ports.state != ports.past) {
    if (ports.past) return CacheForm::kPorts;
    if (ports.beams) return CacheForm::kState;
    return fail(Code::kUnsupported,
                "it keeps state but has no input beam_idx, as optimum-intel's exports have");
  }
  return fail(Code::kUnsupported, ports.past
                                      ? "it keeps one part of its cache as state and one as inputs"
                                      : "it has no key/value cache; export with --task "
                                        "text-generation-with-past");
}

}  // namespace

Result<CacheForm> check_exported_graph(const IrGraph& graph, uint64_t weights_bytes) {
  Ports ports;
  for (const IrLayer& layer : graph.layers) {
    if (Status done = check_operation(layer); !done) return Failure{done.error()};
    Status noted = ok();
    if (layer.type == "Const") noted = check_constant(layer, weights_bytes);
    if (layer.type == "Parameter") noted = note_input(layer, ports);
    if (layer.type == "Result") noted = note_output(graph, layer, ports);
    if (!noted) return Failure{noted.error()};
    ports.state |= layer.type == "ReadValue" || layer.type == "Assign";
  }
  return cache_form(ports);
}

}  // namespace ovenbird
