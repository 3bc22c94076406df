// NPU rules: each is broken by the smallest graph that can, on the platforms where it holds; what
// language models are made of breaks none.
#include "npu/npu_rules.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "npu/graph_builder.h"

namespace ovenbird {
namespace {

using Stored = GraphBuilder::Stored;

IrGraph matmul_graph(const Stored& stored) {
  GraphBuilder builder;
  builder.add_matmul(stored);
  return builder.graph;
}

IrGraph one_operation(const std::string& type) {
  GraphBuilder builder;
  builder.add(type, "f32", {1, 4}, {builder.add("Parameter", "f32", {1, 4})});
  return builder.graph;
}

void check_taken(const IrGraph& graph) {
  for (const NpuPlatform platform : kNpuPlatforms) {
    for (const NpuRefusal& refusal : npu_refusals(graph, platform)) {
      FAIL_CHECK(name_of(platform) << ": " << refusal.layer << ": " << refusal.why);
    }
  }
}

/// One reason, on each of `platforms` (all, if none is given), and nothing on the others.
void check_refused(const IrGraph& graph, const std::string& why,
                   const std::vector<NpuPlatform>& platforms = {kNpuPlatforms.begin(),
                                                                kNpuPlatforms.end()}) {
  for (const NpuPlatform platform : kNpuPlatforms) {
    CAPTURE(name_of(platform));
    const std::vector<NpuRefusal> refusals = npu_refusals(graph, platform);
    if (std::find(platforms.begin(), platforms.end(), platform) == platforms.end()) {
      CHECK(refusals.empty());
      continue;
    }
    REQUIRE(refusals.size() == 1);
    CAPTURE(refusals[0].why);
    CHECK(refusals[0].why.find(why) != std::string::npos);
    CHECK_FALSE(refusals[0].layer.empty());
  }
}

TEST_CASE("symmetric int4 in groups of 128 or whole rows is taken, constant or parameter") {
  check_taken(matmul_graph({}));
  check_taken(matmul_graph({.groups = 1, .group = 576}));
  check_taken(matmul_graph({.groups = 1, .group = 128}));
  check_taken(matmul_graph({.holder = "Parameter"}));
}

TEST_CASE("other groups are refused, with their size") {
  for (const int64_t group : {16, 32, 64, 127, 129}) {
    check_refused(matmul_graph({.group = group}), "groups of " + std::to_string(group));
  }
  check_refused(matmul_graph({.group = 32, .holder = "Parameter"}), "groups of 32");
}

TEST_CASE("4-bit zero points are refused, whether subtracted or shown by the type") {
  check_refused(matmul_graph({.has_zeros = true}), "zero points");
  check_refused(matmul_graph({.type = "u4"}), "zero points");
  check_refused(matmul_graph({.type = "u4", .has_zeros = true}), "zero points");
}

TEST_CASE("a GGUF's own blocks are refused for both their faults") {
  const IrGraph graph = matmul_graph({.type = "u4", .group = 32, .has_zeros = true});
  for (const NpuPlatform platform : kNpuPlatforms) CHECK(npu_refusals(graph, platform).size() == 2);
}

TEST_CASE("nf4 is refused on 3720, and elsewhere unless its scales are for whole rows") {
  check_refused(matmul_graph({.type = "nf4", .groups = 1}), "nf4", {NpuPlatform::k3720});
  check_refused(matmul_graph({.type = "nf4"}), "nf4");
  CHECK(npu_refusals(matmul_graph({.type = "nf4"}), NpuPlatform::k4000)[0].why.find(
            "whole rows only") != std::string::npos);
}

TEST_CASE("8-bit layers are refused on 4000; one 8-bit matmul is a head") {
  for (const char* type : {"i8", "u8"}) {
    GraphBuilder builder;
    builder.add_matmul({.type = type, .groups = 1});
    builder.add_matmul({});
    check_taken(builder.graph);
    builder.add_matmul({.type = type, .groups = 1, .has_zeros = true});
    check_refused(builder.graph, "issue 35641", {NpuPlatform::k4000});
    CHECK(npu_refusals(builder.graph, NpuPlatform::k4000)[0].why.ends_with("(2 layers)"));
  }
}

TEST_CASE("weights are judged alone in a graph that is not static yet") {
  GraphBuilder builder;
  builder.add("ShapeOf", "i64", {2}, {builder.add("Parameter", "f32", {-1, -1})});
  builder.add_matmul({});
  for (const NpuPlatform platform : kNpuPlatforms) {
    CHECK(npu_refusals(builder.graph, platform, NpuRules::kOnWeights).empty());
    CHECK_FALSE(npu_refusals(builder.graph, platform).empty());
  }
  builder.add_matmul({.group = 32});
  for (const NpuPlatform platform : kNpuPlatforms) {
    const auto refusals = npu_refusals(builder.graph, platform, NpuRules::kOnWeights);
    REQUIRE(refusals.size() == 1);
    CHECK(refusals[0].why.find("groups of 32") != std::string::npos);
  }
}

TEST_CASE("weights that are not quantized are taken") {
  check_taken(matmul_graph({.type = "f16"}));
  check_taken(matmul_graph({.type = "f32"}));
}

TEST_CASE("scales that are applied after the matmul leave nothing to refuse") {
  GraphBuilder builder;
  const size_t weights =
      builder.add("Convert", "f16", {64, 512}, {builder.add("Parameter", "i4", {64, 512})});
  const size_t rows = builder.add("Parameter", "f16", {1, 512});
  const size_t product = builder.add("MatMul", "f16", {1, 64}, {rows, weights});
  builder.add("Multiply", "f16", {1, 64}, {product, builder.add("Const", "f16", {1, 64})});
  check_taken(builder.graph);
}

TEST_CASE("one more scale for all weights changes no group") {
  GraphBuilder builder;
  const size_t values =
      builder.add("Convert", "f16", {64, 4, 128}, {builder.add("Const", "i4", {64, 4, 128})});
  const size_t scaled = builder.add("Multiply", "f16", {64, 4, 128},
                                    {builder.add("Const", "f16", {64, 4, 1}), values});
  const size_t twice =
      builder.add("Multiply", "f16", {64, 4, 128}, {scaled, builder.add("Const", "f16", {})});
  const size_t matrix = builder.add("Reshape", "f16", {64, 512}, {twice});
  builder.add("MatMul", "f16", {1, 64}, {builder.add("Parameter", "f16", {1, 512}), matrix});
  check_taken(builder.graph);
}

TEST_CASE("weights may stand on the left of a matmul, or turned") {
  GraphBuilder builder;
  const size_t values =
      builder.add("Convert", "f16", {64, 96}, {builder.add("Const", "i4", {64, 96})});
  const size_t scaled =
      builder.add("Multiply", "f16", {64, 96}, {values, builder.add("Const", "f16", {64, 1})});
  const size_t columns = builder.add("Parameter", "f16", {96, 7});
  builder.add("MatMul", "f16", {64, 7}, {scaled, columns});
  const size_t turned = builder.add("Transpose", "f16", {96, 64}, {scaled});
  builder.add("MatMul", "f16", {1, 64}, {builder.add("Parameter", "f16", {1, 96}), turned});
  check_taken(builder.graph);
}

TEST_CASE("an 8-bit embedding and an 8-bit cache are no layers") {
  GraphBuilder builder;
  const size_t ids = builder.add("Parameter", "i64", {1, 1});
  const size_t rows =
      builder.add("Gather", "i8", {1, 1, 64}, {builder.add("Const", "i8", {100, 64}), ids});
  const size_t scaled = builder.add(
      "Multiply", "f32", {1, 1, 64},
      {builder.add("Convert", "f32", {1, 1, 64}, {rows}), builder.add("Const", "f32", {1, 1, 1})});
  for (int layer = 0; layer < 3; ++layer) {
    const size_t keys = builder.add("Parameter", "u8", {1, 3, 64, 64});
    const size_t known = builder.add("Convert", "f32", {1, 3, 64, 64}, {keys});
    builder.add("MatMul", "f32", {1, 3, 1, 64}, {scaled, known});
  }
  check_taken(builder.graph);
}

TEST_CASE("open dimensions are refused once, with the number of layers") {
  GraphBuilder builder;
  const size_t rows = builder.add("Parameter", "f32", {1, -1});
  builder.add("ReLU", "f32", {1, -1}, {rows});
  check_refused(builder.graph, "open dimension");
  const NpuRefusal refusal = npu_refusals(builder.graph, NpuPlatform::k5010)[0];
  CHECK(refusal.layer == "Parameter0");
  CHECK(refusal.why.ends_with("(2 layers)"));
}

TEST_CASE("ports have five dimensions at most; inside there may be more") {
  GraphBuilder builder;
  const size_t five = builder.add("Parameter", "f32", {1, 1, 1, 1, 4});
  const size_t six = builder.add("Reshape", "f32", {1, 1, 1, 1, 1, 4}, {five});
  builder.add("Result", "f32", {1, 1, 1, 1, 4}, {five});
  check_taken(builder.graph);
  builder.add("Result", "f32", {1, 1, 1, 1, 1, 4}, {six});
  check_refused(builder.graph, "6 dimensions");
  GraphBuilder wide;
  wide.add("Parameter", "f32", {1, 1, 1, 1, 1, 1, 4});
  check_refused(wide.graph, "7 dimensions");
}

TEST_CASE("state, branches and operations on shapes are refused by name") {
  for (const char* type :
       {"ReadValue", "Assign", "If", "Loop", "TensorIterator", "NonZero", "Unique"}) {
    check_refused(one_operation(type), std::string(type) + ": ");
  }
}

TEST_CASE("shapes that are closed, and what is computed from them, are constants") {
  GraphBuilder builder;
  const size_t rows = builder.add("Parameter", "f32", {1, 10});
  const size_t shape = builder.add("ShapeOf", "i64", {2}, {rows});
  const size_t axis = builder.add("Const", "i64", {});
  const size_t length = builder.add("Gather", "i64", {}, {shape, axis, axis});
  builder.add("Range", "i64", {10}, {axis, length, axis});
  check_taken(builder.graph);
  builder.add("Range", "i64", {10}, {axis, builder.add("Parameter", "i64", {}), axis});
  check_refused(builder.graph, "Range: ");
}

TEST_CASE("shapes that are open are not") {
  GraphBuilder builder;
  builder.add("ShapeOf", "i64", {2}, {builder.add("Parameter", "f32", {1, -1})});
  const std::vector<NpuRefusal> refusals = npu_refusals(builder.graph, NpuPlatform::k4000);
  REQUIRE(refusals.size() == 2);
  CHECK(refusals[0].why.find("open dimension") != std::string::npos);
  CHECK(refusals[1].why.starts_with("ShapeOf: "));
}

TEST_CASE("operations that no NPU compiler is known to take are refused by name") {
  check_refused(one_operation("SearchSorted"), "SearchSorted: ");
  check_refused(one_operation("x\ny"), "x\\x0ay: ");
}

TEST_CASE("what language models are made of is taken") {
  for (const char* type : {"Parameter",     "Result",
                           "Const",         "Convert",
                           "Add",           "Subtract",
                           "Multiply",      "Divide",
                           "MatMul",        "Power",
                           "Sqrt",          "ReduceMean",
                           "ReduceSum",     "SoftMax",
                           "Concat",        "Slice",
                           "StridedSlice",  "VariadicSplit",
                           "Split",         "Reshape",
                           "Transpose",     "Unsqueeze",
                           "Squeeze",       "Broadcast",
                           "Gather",        "GatherElements",
                           "ScatterUpdate", "ScatterNDUpdate",
                           "Select",        "Sin",
                           "Cos",           "Sigmoid",
                           "Swish",         "Gelu",
                           "Tanh",          "Exp",
                           "Negative",      "Less",
                           "LessEqual",     "Greater",
                           "GreaterEqual",  "Equal",
                           "LogicalAnd",    "LogicalNot",
                           "LogicalOr",     "Tile",
                           "Pad",           "TopK",
                           "CumSum",        "FakeQuantize",
                           "RMS",           "ScaledDotProductAttention",
                           "Clamp",         "Maximum",
                           "Minimum",       "ReLU",
                           "Convolution",   "GroupConvolution"}) {
    check_taken(one_operation(type));
  }
}

TEST_CASE("a ring of layers and matmuls without shapes come to an end") {
  GraphBuilder builder;
  const size_t first = builder.add("Convert", "f32", {4, 4});
  const size_t second = builder.add("Convert", "f32", {4, 4}, {first});
  builder.graph.layers[first].sources.push_back({.layer = second});
  builder.add("MatMul", "f32", {}, {second, second});
  builder.add("MatMul", "f32", {4, 4});
  check_taken(builder.graph);
}

TEST_CASE("shapes beyond any file's size are nothing to compute with") {
  const int64_t huge = int64_t{1} << 62;
  CHECK_NOTHROW(npu_refusals(matmul_graph({.rows = huge, .groups = 3, .group = huge / 3}),
                             NpuPlatform::k3720));
}

TEST_CASE("platforms have names") {
  CHECK(std::string(name_of(NpuPlatform::k3720)) == "3720");
  CHECK(std::string(name_of(NpuPlatform::k4000)) == "4000");
  CHECK(std::string(name_of(NpuPlatform::k5010)) == "5010");
  CHECK(std::string(processors_of(NpuPlatform::k4000)) == "Lunar Lake");
}

TEST_CASE("what acts whatever it reads is refused over constants too") {
  const auto over_a_constant = [](const std::string& type, std::vector<int64_t> shape) {
    GraphBuilder builder;
    builder.add(type, "f32", shape, {builder.add("Const", "f32", shape)});
    return builder.graph;
  };
  check_refused(over_a_constant("Assign", {1, 4}), "keeps state");
  check_refused(over_a_constant("Loop", {1, 4}), "Loop");
  check_refused(over_a_constant("If", {1, 4}), "If");
  check_refused(over_a_constant("Result", {1, 1, 1, 1, 1, 4}), "6 dimensions");
  check_taken(over_a_constant("Result", {1, 4}));
}

}  // namespace
}  // namespace ovenbird
