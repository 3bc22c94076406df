// IR reading: what OpenVINO writes comes through, and everything else is refused by name. The small
// IR below is spoilt in one place at a time, and cut at every byte.
#include "npu/ir_graph.h"

#include <doctest/doctest.h>

#include "base/limits.h"

namespace ovenbird {
namespace {

/// y = x * w, with ids and port numbers as OpenVINO's serializer writes them.
const std::string kIr = R"(<?xml version="1.0"?>
<net name="small" version="11">
 <layers>
  <layer id="0" name="x" type="Parameter" version="opset1">
   <data shape="1,?" element_type="f32"/>
   <output>
    <port id="0" precision="FP32" names="x,again\,x"><dim>1</dim><dim>-1</dim></port>
   </output>
  </layer>
  <layer id="1" name="w" type="Const" version="opset1">
   <data element_type="i4" shape="4, 2" offset="0" size="4"/>
   <output><port id="0" precision="I4"><dim>4</dim><dim>2</dim></port></output>
  </layer>
  <layer id="2" name="product" type="MatMul" version="opset1">
   <input>
    <port id="0" precision="FP32"><dim>1</dim><dim>-1</dim></port>
    <port id="1" precision="I4"><dim>4</dim><dim>2</dim></port>
   </input>
   <output><port id="2" precision="FP16"><dim>1</dim><dim>4</dim></port></output>
  </layer>
  <layer id="3" name="y" type="Result" version="opset1">
   <input><port id="0" precision="FP16"><dim>1</dim><dim>4</dim></port></input>
   <body><layers><layer id="0" name="inner" type="Parameter"/></layers></body>
  </layer>
 </layers>
 <edges>
  <edge from-layer="1" from-port="0" to-layer="2" to-port="1"/>
  <edge from-layer="0" from-port="0" to-layer="2" to-port="0"/>
  <edge from-layer="2" from-port="2" to-layer="3" to-port="0"/>
 </edges>
</net>
)";

std::string with(std::string_view old_text, std::string_view new_text) {
  std::string ir = kIr;
  const size_t at = ir.find(old_text);
  REQUIRE(at != std::string::npos);
  return ir.replace(at, old_text.size(), new_text);
}

void check_refused(const std::string& ir, const std::string& expected) {
  const Result<IrGraph> graph = read_ir_graph(ir);
  REQUIRE_FALSE(graph);
  CHECK(graph.error().code == Code::kCorrupt);
  CAPTURE(graph.error().message);
  CHECK(graph.error().message.find(expected) != std::string::npos);
  CHECK(graph.error().message.find('\n') == std::string::npos);
}

/// A net of one layer, with so many of each.
struct Counts {
  size_t layers = 1;
  size_t ports = 1;
  size_t dimensions = 1;
};

std::string ir_of(const Counts& counts) {
  std::string port = "\"><dim>1</dim>";
  for (size_t index = 1; index < counts.dimensions; ++index) port += "<dim>1</dim>";
  std::string ports;
  for (size_t index = 0; index < counts.ports; ++index) {
    ports += "<port id=\"" + std::to_string(index) + port + "</port>";
  }
  std::string ir = "<net><layers>";
  for (size_t index = 0; index < counts.layers; ++index) {
    ir += "<layer id=\"" + std::to_string(index) + "\" type=\"Const\"><output>" + ports +
          "</output></layer>";
  }
  return ir + "</layers></net>";
}

TEST_CASE("a graph is its layers, what they give, and who takes it") {
  const Result<IrGraph> graph = read_ir_graph(kIr);

  REQUIRE(graph);
  REQUIRE(graph->layers.size() == 4);  // the body is no part of it
  const IrLayer& x = graph->layers[0];
  CHECK(x.id == "0");
  CHECK(x.name == "x");
  CHECK(x.type == "Parameter");
  REQUIRE(x.outputs.size() == 1);
  CHECK(x.outputs[0].type == "f32");
  CHECK(x.outputs[0].shape == std::vector<int64_t>{1, -1});
  CHECK(x.outputs[0].names == std::vector<std::string>{"x", "again,x"});
  const IrLayer& product = graph->layers[2];
  REQUIRE(product.sources.size() == 2);
  CHECK(product.sources[0].layer == 0);
  CHECK(product.sources[1].layer == 1);
  CHECK(graph->output_of(product.sources[1]).type == "i4");
  CHECK(product.outputs[0].names.empty());
  CHECK(graph->output_of(graph->layers[3].sources[0]).type == "f16");
}

TEST_CASE("types have OpenVINO's names") {
  const std::pair<const char*, const char*> names[] = {
      {"FP16", "f16"}, {"FP32", "f32"},     {"FP64", "f64"},     {"BF16", "bf16"},
      {"I64", "i64"},  {"U4", "u4"},        {"BOOL", "boolean"}, {"NF4", "nf4"},
      {"BIN", "u1"},   {"F8E4M3", "f8e4m3"}};
  for (const auto& [written, type] : names) {
    const auto graph = read_ir_graph(with("\"I4\"", std::string("\"") + written + "\""));
    REQUIRE(graph);
    CHECK(graph->layers[1].outputs[0].type == type);
  }
}

TEST_CASE("a scalar has no dimensions, and an input of open rank an open one") {
  auto graph = read_ir_graph(with("<dim>4</dim><dim>2</dim>", ""));
  REQUIRE(graph);
  CHECK(graph->layers[1].outputs[0].shape.empty());

  graph =
      read_ir_graph(with("<data shape=\"1,?\" element_type=\"f32\"/>", "<data shape=\"...\"/>"));
  REQUIRE(graph);
  CHECK(graph->layers[0].outputs[0].shape[0] == -1);
}

TEST_CASE("what is no graph is refused") {
  check_refused("", "no XML");
  check_refused("not a graph", "no XML");
  check_refused("<html></html>", "no \"net\"");
  check_refused("<net/>", "no layer");
  check_refused(with("id=\"1\" name", "id=\"0\" name"), "two with this id");
  check_refused(with("id=\"1\" name", "name"), "no id");
  check_refused(with("type=\"Const\"", ""), "no type");
}

TEST_CASE("broken ports and edges are refused, naming the layer") {
  check_refused(with("<port id=\"1\"", "<port id=\"0\""), "two inputs with one id");
  check_refused(with("from-layer=\"1\"", "from-layer=\"9\""), "not there");
  check_refused(with("to-layer=\"3\"", "to-layer=\"x\""), "not there");
  check_refused(with("from-port=\"2\"", "from-port=\"1\""), "has no output \"1\"");
  check_refused(with("to-port=\"1\"", "to-port=\"2\""), "has no input \"2\"");
  check_refused(with("to-port=\"1\"", "to-port=\"0\""), "two edges to input \"0\"");
  check_refused(
      with("  <edge from-layer=\"2\" from-port=\"2\" to-layer=\"3\" to-port=\"0\"/>\n", ""),
      "\"3\" (Result \"y\"): an input without an edge");
  check_refused(with("</port>\n   </output>", "</port><port id=\"0\"/></output>"),
                "two outputs with one id");
}

TEST_CASE("a dimension is a number from -1 on") {
  for (const char* size : {"-2", "", "1.5", "4x", " 4", "?", "9223372036854775808"}) {
    check_refused(with("<dim>4</dim>", std::string("<dim>") + size + "</dim>"), "a dimension of");
  }
  CHECK(read_ir_graph(with("<dim>4</dim>", "<dim>9223372036854775807</dim>")));
  CHECK(read_ir_graph(with("<dim>4</dim>", "<dim>0</dim>")));
}

TEST_CASE("an IR cut anywhere is refused") {
  const size_t end = kIr.find("</net>") + 6;
  for (size_t bytes = 0; bytes < end; ++bytes) {
    CAPTURE(bytes);
    CHECK_FALSE(read_ir_graph(std::string_view(kIr).substr(0, bytes)));
  }
}

TEST_CASE("limits hold") {
  CHECK(read_ir_graph(ir_of({.dimensions = limits::kIrRankMax})));
  check_refused(ir_of({.dimensions = limits::kIrRankMax + 1}), "dimensions");
  CHECK(read_ir_graph(ir_of({.ports = limits::kIrPortsMax})));
  check_refused(ir_of({.ports = limits::kIrPortsMax + 1}), "ports");
  CHECK(read_ir_graph(ir_of({.layers = limits::kIrLayersMax, .ports = 0})));
  check_refused(ir_of({.layers = limits::kIrLayersMax + 1, .ports = 0}), "layers");
  std::string ir = kIr;
  ir.resize(limits::kIrBytesMax, ' ');
  CHECK(read_ir_graph(ir));
  check_refused(ir + ' ', "bytes of XML");
}

TEST_CASE("elements as deep as the file is long do no harm") {
  std::string ir = "<net><layers>";
  for (int depth = 0; depth < 1'000'000; ++depth) ir += "<a>";
  check_refused(ir, "no XML");
  for (int depth = 0; depth < 1'000'000; ++depth) ir += "</a>";
  check_refused(ir + "</layers></net>", "no layer");
}

}  // namespace
}  // namespace ovenbird
