// Exports of optimum-intel baked: weights stay byte for byte, and what is spoilt in one place is
// refused in one line, with nothing written. The good ones are tests/data/openvino; that what is
// baked computes the same is tests/engine/import_golden_test.cc.
#include "bake/import.h"

#include <doctest/doctest.h>

#include <map>
#include <set>

#include "base/mapped_file.h"
#include "bundle/bundle.h"
#include "npu/ir_graph.h"
#include "support/temporary_directory.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

const std::string kGood = OVENBIRD_TEST_DATA "/openvino/llama_int4_sym";

std::string content_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// An export in parts, so that a test can spoil any one of them.
struct ExportParts {
  std::string xml = content_of(kGood + "/openvino_model.xml");
  std::string bin = content_of(kGood + "/openvino_model.bin");
  std::string config = content_of(kGood + "/config.json");
};

std::string with(std::string text, std::string_view old_text, std::string_view new_text) {
  const size_t at = text.find(old_text);
  CAPTURE(old_text);
  REQUIRE(at != std::string::npos);
  return text.replace(at, old_text.size(), new_text);
}

Result<Manifest> bake_directory(const fs::path& directory, const fs::path& target) {
  const Result<OpenvinoExport> source = open_openvino_export(directory);
  if (!source) return Failure{source.error()};
  return bake_export(
      {.source = *source, .for_target = Target::kCpu, .context = 128, .target = target});
}

/// Bakes the parts, and checks that an error is one line and leaves nothing behind.
Result<Manifest> bake_parts(const ExportParts& parts) {
  const TemporaryDirectory source, output;
  source.write("openvino_model.xml", parts.xml);
  source.write("openvino_model.bin", parts.bin);
  source.write("config.json", parts.config);
  Result<Manifest> made = bake_directory(source.path(), output.path() / "bundle");
  if (made) return made;
  CHECK(made.error().message.find('\n') == std::string::npos);
  CHECK(made.error().message.size() <= 1000);
  CHECK(fs::is_empty(output.path()));
  return made;
}

void check_refused(const ExportParts& parts, Code code, const std::string& expected) {
  const Result<Manifest> made = bake_parts(parts);
  CAPTURE(expected);
  REQUIRE_FALSE(made);
  CAPTURE(made.error().message);
  CHECK(made.error().code == code);
  CHECK(made.error().message.find(expected) != std::string::npos);
}

void check_graph_refused(std::string_view old_text, std::string_view new_text, Code code,
                         const std::string& expected) {
  ExportParts parts;
  parts.xml = with(parts.xml, old_text, new_text);
  check_refused(parts, code, expected);
}

/// Name -> bytes of every constant of a graph that has so many bytes or more.
std::map<std::string, std::string> constants_of(const std::string& xml, const std::string& bin,
                                                size_t bytes_min) {
  const Result<IrGraph> graph = read_ir_graph(xml);
  REQUIRE(graph);
  std::map<std::string, std::string> constants;
  for (const IrLayer& layer : graph->layers) {
    if (!layer.constant || layer.constant->bytes < bytes_min) continue;
    constants[layer.name] = bin.substr(layer.constant->offset, layer.constant->bytes);
  }
  return constants;
}

TEST_CASE("weights stay as they are, byte for byte, once, in every graph") {
  for (const std::string name : {"llama_int4_sym", "qwen3_int4_asym"}) {
    const fs::path source = OVENBIRD_TEST_DATA "/openvino/" + name;
    const TemporaryDirectory output;
    const fs::path target = output.path() / "bundle";
    const Result<Manifest> made = bake_directory(source, target);
    if (!made) FAIL(made.error().message);
    const std::string bin = content_of(target / "openvino_model.bin");
    const std::string source_bin = content_of(source / "openvino_model.bin");
    const auto wanted = constants_of(content_of(source / "openvino_model.xml"), source_bin, 64);
    REQUIRE(wanted.size() > 20);
    for (const GraphInfo& graph : made->graphs) {
      for (const auto& [constant, bytes] : constants_of(content_of(target / graph.file), bin, 64)) {
        if (wanted.contains(constant)) CHECK(bytes == wanted.at(constant));
      }
    }
    size_t there = 0;
    const auto seen = constants_of(content_of(target / "step_w1_p128.xml"), bin, 64);
    for (const auto& [constant, bytes] : wanted) there += seen.contains(constant) ? 1 : 0;
    CHECK(there + 4 >= wanted.size());  // all but what only the export's own masks used
    const uint64_t tables = 2 * 256 * made->model.head_dim / 2 * sizeof(float);
    const uint64_t triangles = 2 * 2 * 128 * 128 * sizeof(float);
    CHECK(bin.size() < 2 * source_bin.size() + tables + triangles);
  }
}

TEST_CASE("the manifest says what the graph shows, and the rest from config.json") {
  const TemporaryDirectory output;
  const Result<Manifest> made = bake_directory(kGood, output.path() / "bundle");
  if (!made) FAIL(made.error().message);
  CHECK(made->model.architecture == "llama");
  CHECK(made->model.description == "OpenVINO IR, llama, i4 symmetric, by row");
  CHECK(made->model.layers == 2);
  CHECK(made->model.hidden == 32);
  CHECK(made->model.heads == 4);
  CHECK(made->model.kv_heads == 2);
  CHECK(made->model.head_dim == 8);
  CHECK(made->model.vocabulary == 360);
  CHECK(made->model.context == 4096);
  REQUIRE(made->model.rope_frequencies.size() == 4);
  CHECK(made->model.rope_frequencies[0] == 1.0);
  CHECK(made->model.rope_frequencies[1] == doctest::Approx(0.1).epsilon(1e-6));
  CHECK(made->model.eos_ids.size() == 1);
  std::set<std::string> roles;
  for (const WeightsInfo& info : made->weights) roles.insert(info.role + " " + info.type);
  CHECK(roles == std::set<std::string>{"embedding u8", "layers i4", "head u8", "norms f32"});
  const Result<Bundle> bundle = Bundle::open(output.path() / "bundle");
  REQUIRE(bundle);
  CHECK(bundle->verify());
  for (const GraphInfo& graph : made->graphs) {
    const bool has_past = graph.past > 0 || graph.open_past;
    REQUIRE(graph.inputs.size() == (has_past ? 7 : 3));
    CHECK(graph.inputs[0].name == "input_ids");
    CHECK(graph.inputs[1].name == "attention_mask");
    CHECK(graph.inputs[2].name == "position_ids");
    if (has_past) CHECK(graph.inputs[6].name == "past_key_values.1.value");
    REQUIRE(graph.outputs.size() == 5);
    CHECK(graph.outputs[0].name == "logits");
    CHECK(graph.outputs[4].name == "present.1.value");
    CHECK(graph.outputs[4].shape.size() == 4);
  }
}

TEST_CASE("static graphs hold no arithmetic on shapes") {
  const TemporaryDirectory output;
  const Result<Manifest> made = bake_directory(kGood, output.path() / "bundle");
  REQUIRE(made);
  for (const GraphInfo& info : made->graphs) {
    if (!info.is_static()) continue;
    const Result<IrGraph> graph = read_ir_graph(content_of(output.path() / "bundle" / info.file));
    REQUIRE(graph);
    for (const IrLayer& layer : graph->layers) {
      CAPTURE(layer.name);
      CHECK(layer.type != "ShapeOf");
      CHECK(layer.type != "Range");
      CHECK(layer.type != "Cos");
      CHECK(layer.type != "ReadValue");
      CHECK(layer.type != "ScaledDotProductAttention");
    }
  }
}

TEST_CASE("constants beyond the weights file, or of another size, are refused") {
  ExportParts parts;
  parts.bin.resize(parts.bin.size() / 2);
  check_refused(parts, Code::kCorrupt, "openvino_model.bin has");
  parts.bin.clear();
  check_refused(parts, Code::kCorrupt, "openvino_model.bin has 0");
  check_graph_refused("element_type=\"u8\" shape=\"360, 32\"", "element_type=\"u8\" shape=\"9, 9\"",
                      Code::kCorrupt, "not what its shape and type take");
  check_graph_refused("element_type=\"u8\" shape=\"360, 32\"",
                      "element_type=\"u8\" shape=\"4294967296, 4294967296\"", Code::kCorrupt,
                      "not what its shape and type take");
  check_graph_refused("element_type=\"u8\"", "element_type=\"u6\"", Code::kUnsupported, "u6");
  check_graph_refused(" offset=\"", " offset=\"9999999999999999999", Code::kCorrupt, "Const");
  check_graph_refused(" offset=\"", " offset=\"-", Code::kCorrupt, "where its numbers lie");
}

TEST_CASE("graphs that are no plain decoder are refused by name") {
  const auto refuses = [](std::string_view old_text, std::string_view new_text,
                          const std::string& expected) {
    check_graph_refused(old_text, new_text, Code::kUnsupported, expected);
  };
  refuses("names=\"position_ids\"", "names=\"token_type_ids\"", "token_type_ids");
  refuses("names=\"input_ids\"", "names=\"inputs_embeds\"", "vision");
  refuses("names=\"input_ids\"", "names=\"decoder_input_ids\"", "encoder");
  refuses("names=\"logits\"", "names=\"last_hidden_state\"", "last_hidden_state");
  refuses("names=\"beam_idx\"", "names=\"pixel_values\"", "pixel_values");
  refuses("type=\"Swish\" version=\"opset4\"", "type=\"Swish\" version=\"extension\"", "extension");
  refuses("type=\"Swish\" version=\"opset4\"", "type=\"Loop\" version=\"opset5\"", "loops");
}

TEST_CASE("attention, masks and rotations of other kinds are refused by name") {
  const auto refuses = [](std::string_view old_text, std::string_view new_text,
                          const std::string& expected) {
    check_graph_refused(old_text, new_text, Code::kUnsupported, expected);
  };
  refuses("causal=\"false\"", "causal=\"true\"", "mask");
  refuses("type=\"LessEqual\"", "type=\"GreaterEqual\"", "is seen");
  refuses("type=\"LessEqual\"", "type=\"Less\"", "is hidden");
  refuses("type=\"LessEqual\"", "type=\"NotEqual\"", "the mask of attention");
  refuses("type=\"Sin\"", "type=\"Tan\"", "cosines and sines");
  // The keys' halves are put together by an Add in each layer, and the queries' by another one.
  const std::string key_0 = "layers.0.self_attn/aten::add/Add_1\" type=\"";
  const std::string key_1 = "layers.1.self_attn/aten::add/Add\" type=\"";
  refuses(key_0 + "Add", key_0 + "Subtract", "layer 1 are turned otherwise");
  refuses(key_1 + "Add", key_1 + "Subtract", "layer 1 are turned otherwise");
  ExportParts parts;
  parts.xml = with(parts.xml, key_0 + "Add", key_0 + "Subtract");
  parts.xml = with(parts.xml, key_1 + "Add", key_1 + "Subtract");
  check_refused(parts, Code::kUnsupported, "in halves");
}

TEST_CASE("config.json must tell what the graph cannot") {
  ExportParts parts;
  parts.config = R"({"model_type": "llama", "hidden_size": 32})";
  check_refused(parts, Code::kCorrupt, "max_position_embeddings is missing");
  parts.config = R"({"model_type": "llama", "hidden_size": 32, "max_position_embeddings": 0})";
  check_refused(parts, Code::kCorrupt, "max_position_embeddings is 0");
  parts.config = R"({"hidden_size": 32, "max_position_embeddings": 64})";
  check_refused(parts, Code::kCorrupt, "model_type");
  parts.config = R"({"model_type": "t5", "is_encoder_decoder": true, "hidden_size": 32,
                     "max_position_embeddings": 64})";
  check_refused(parts, Code::kUnsupported, "is_encoder_decoder");
  parts.config = "{";
  check_refused(parts, Code::kCorrupt, "config.json");
}

TEST_CASE("an architecture that nobody has heard of is baked by what its graph shows") {
  ExportParts parts;
  parts.config = R"({"model_type": "newest", "hidden_size": 32, "max_position_embeddings": 64})";
  const Result<Manifest> made = bake_parts(parts);
  if (!made) FAIL(made.error().message);
  CHECK(made->model.architecture == "newest");
  for (const GraphInfo& graph : made->graphs) CHECK(graph.past <= 64);
}

TEST_CASE("whatever is cut out of the XML, there is one line and no bundle") {
  const ExportParts good;
  for (size_t end = 0; end < good.xml.size(); end += 3001) {
    ExportParts parts;
    parts.xml = good.xml.substr(0, end);
    CAPTURE(end);
    CHECK_FALSE(bake_parts(parts));
  }
}

TEST_CASE("layers that are lost or exchanged do no harm") {
  const ExportParts good;
  size_t refused = 0;
  size_t tried = 0;
  for (size_t at = 0; (at = good.xml.find("<edge ", at + 4000)) != std::string::npos; ++tried) {
    ExportParts parts;
    parts.xml.erase(at, parts.xml.find("/>", at) + 2 - at);
    CAPTURE(at);
    if (!bake_parts(parts)) ++refused;
  }
  CHECK(tried > 3);
  CHECK(refused == tried);
}

TEST_CASE("entities are not expanded") {
  ExportParts parts;
  parts.xml = with(parts.xml, "names=\"input_ids\"", "names=\"&b;\"");
  parts.xml = "<!DOCTYPE net [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;\">]>" +
              with(parts.xml, "<?xml version=\"1.0\"?>", "");
  check_refused(parts, Code::kUnsupported, "\"&b;\"");
}

TEST_CASE("directories that are something else are said to be") {
  const TemporaryDirectory source, output;
  const fs::path target = output.path() / "bundle";
  source.write("openvino_model.xml", "<net/>");
  CHECK(is_openvino_export(source.path()));
  CHECK(is_openvino_export(source.path() / "openvino_model.xml"));
  Result<Manifest> made = bake_directory(source.path(), target);
  REQUIRE_FALSE(made);
  CHECK(made.error().code == Code::kNotFound);
  CHECK(made.error().message.find("openvino_model.bin") != std::string::npos);
  source.write("openvino_model.bin", "");
  source.write("model.safetensors", "");
  CHECK_FALSE(is_openvino_export(source.path()));
  CHECK(is_openvino_export(source.path() / "openvino_model.xml"));
  source.write("ovenbird.json", "{}");
  made = bake_directory(source.path(), target);
  REQUIRE_FALSE(made);
  CHECK(made.error().code == Code::kInvalidArgument);
  CHECK(made.error().message.find("bundle already") != std::string::npos);
  CHECK_FALSE(fs::exists(target));
}

TEST_CASE("what an NPU would refuse is refused before any weights are copied") {
  const auto source =
      open_openvino_export(fs::path(OVENBIRD_TEST_DATA "/openvino/qwen3_int4_asym"));
  REQUIRE(source);
  const TemporaryDirectory output;
  bool copied = false;
  const Result<Manifest> made = bake_export({.source = *source,
                                             .target = output.path() / "bundle",
                                             .progress = [&](uint64_t) { return copied = true; }});
  REQUIRE_FALSE(made);
  CHECK(made.error().code == Code::kInvalidArgument);
  CHECK(made.error().message.starts_with("bake: openvino_model.xml: an NPU"));
  CHECK_FALSE(copied);
  CHECK(fs::is_empty(output.path()));
}

TEST_CASE("a bake that is interrupted leaves nothing") {
  const Result<OpenvinoExport> source = open_openvino_export(fs::path(kGood));
  REQUIRE(source);
  const TemporaryDirectory output;
  for (int calls = 0; calls < 40; calls += 3) {
    int left = calls;
    const Result<Manifest> made = bake_export({.source = *source,
                                               .for_target = Target::kCpu,
                                               .target = output.path() / "bundle",
                                               .progress = [&](uint64_t) { return left-- > 0; }});
    REQUIRE_FALSE(made);
    CHECK(made.error().code == Code::kInterrupted);
    CHECK(fs::is_empty(output.path()));
  }
}

}  // namespace
}  // namespace ovenbird
