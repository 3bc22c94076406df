// NPU lint: each graph's IR is judged, platform by platform; the manifest tells the risks. Method:
// bundles of small hand-written graphs, spoilt in one place.
#include "npu/npu_lint.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "bundle/bundle_writer.h"
#include "bundle/example_manifest.h"
#include "support/temporary_directory.h"

namespace ovenbird {
namespace {

using Kind = NpuFinding::Kind;

/// y = f(x), x of [1, `columns`]; "-1" is an open dimension.
std::string one_operation(const std::string& type, const std::string& columns = "8") {
  const std::string output = R"(<output><port id="1" precision="FP32"><dim>1</dim><dim>)" +
                             columns + "</dim></port></output></layer>";
  return R"(<net><layers><layer id="0" name="x" type="Parameter">)" + output +
         R"(<layer id="1" name="f" type=")" + type + R"("><input><port id="0"/></input>)" + output +
         "</layers><edges>" +
         R"(<edge from-layer="0" from-port="1" to-layer="1" to-port="0"/></edges></net>)";
}

/// x times w, and the result times w again, w of 8 bit: refused on 4000 only.
std::string eight_bit_layers() {
  const auto output = [](const std::string& type) {
    return "<output><port id=\"2\" precision=\"" + type +
           "\"><dim>8</dim><dim>8</dim></port></output></layer>";
  };
  const auto edge = [](const std::string& from, const std::string& to, const std::string& port) {
    return "<edge from-layer=\"" + from + "\" from-port=\"2\" to-layer=\"" + to + "\" to-port=\"" +
           port + "\"/>";
  };
  const std::string matmul = R"(type="MatMul"><input><port id="0"/><port id="1"/></input>)";
  return R"(<net><layers><layer id="x" name="x" type="Parameter">)" + output("FP32") +
         R"(<layer id="w" name="w" type="Const">)" + output("I8") + R"(<layer id="a" name="a" )" +
         matmul + output("FP32") + R"(<layer id="b" name="b" )" + matmul + output("FP32") +
         "</layers><edges>" + edge("x", "a", "0") + edge("w", "a", "1") + edge("a", "b", "0") +
         edge("w", "b", "1") + "</edges></net>";
}

/// What `bake --for npu` writes, as far as lint looks.
struct Parts {
  Manifest manifest = example_manifest();
  std::vector<std::string> graphs = {one_operation("ReLU"), one_operation("SoftMax")};

  Parts() {
    manifest.target = Target::kNpu;
    manifest.cache_type = CacheType::kF16;
    manifest.graphs = {{.file = "openvino_model.xml", .plan = "window", .width = 128},
                       {.file = "step_w1.xml", .plan = "cached", .width = 1, .past = 64}};
    manifest.weights = {
        {.role = "embedding", .type = "i8", .group_size = -1},
        {.role = "layers", .type = "i4", .group_size = 128},
        {.role = "norms", .type = "f32"},
    };
  }
};

/// The graph of `graph` that `xml` is, and both in the bundle.
void add(Parts& parts, const GraphInfo& graph, const std::string& xml) {
  parts.manifest.graphs.push_back(graph);
  parts.graphs.push_back(xml);
}

/// `gone`: a file that is removed after the bundle was opened.
NpuLint lint_of(const Parts& parts, const std::string& gone = "") {
  const TemporaryDirectory directory;
  const auto target = directory.path() / "bundle";
  Result<BundleWriter> writer = BundleWriter::create(target, false);
  REQUIRE(writer);
  REQUIRE(writer->add_whole(kWeightsName, "weights"));
  for (size_t index = 0; index < parts.graphs.size(); ++index) {
    REQUIRE(writer->add_whole(parts.manifest.graphs[index].file, parts.graphs[index]));
  }
  REQUIRE(writer->commit(parts.manifest));
  const Result<Bundle> bundle = Bundle::open(target);
  if (!bundle) FAIL(bundle.error().message);
  if (!gone.empty()) std::filesystem::remove(target / gone);
  return npu_lint(*bundle);
}

TEST_CASE("a bundle baked for the NPU has no finding, and every platform takes its graphs") {
  const NpuLint lint = lint_of({});
  CHECK(lint.findings.empty());
  REQUIRE(lint.graphs.size() == 2);
  CHECK(lint.graphs[1].file == "step_w1.xml");
  for (size_t platform = 0; platform < kNpuPlatforms.size(); ++platform) {
    CHECK(lint.is_taken_on(platform));
    CHECK(lint.graphs[0].is_taken_on(platform));
  }
}

TEST_CASE("a graph that one platform refuses is a finding that names graph and platform") {
  Parts parts;
  parts.graphs[1] = eight_bit_layers();

  const NpuLint lint = lint_of(parts);

  CHECK(lint.is_taken_on(0));
  CHECK_FALSE(lint.is_taken_on(1));
  CHECK(lint.is_taken_on(2));
  CHECK(lint.graphs[0].is_taken_on(1));
  REQUIRE(lint.findings.size() == 1);
  CHECK(lint.findings[0].kind == Kind::kRefused);
  CHECK(lint.findings[0].subject == "step_w1.xml");
  CHECK(lint.findings[0].message.starts_with("on 4000: 8-bit weights"));
}

TEST_CASE("what all platforms refuse is one finding") {
  Parts parts;
  parts.graphs[0] = one_operation("ReadValue");

  const NpuLint lint = lint_of(parts);

  REQUIRE(lint.findings.size() == 1);
  CHECK(lint.findings[0].message.starts_with("on 3720 4000 5010: ReadValue"));
}

TEST_CASE("open graphs are for CPU and GPU, which is not a fault") {
  Parts parts;
  add(parts, {.file = "open.xml", .plan = "cached", .width = 128, .open_width = true, .past = 64},
      one_operation("ReLU", "-1"));
  add(parts, {.file = "dynamic.xml", .plan = "dynamic", .open_width = true, .open_past = true},
      one_operation("ShapeOf", "-1"));

  const NpuLint lint = lint_of(parts);

  REQUIRE(lint.findings.size() == 2);
  CHECK(lint.findings[0].kind == Kind::kNotUsed);
  CHECK(lint.findings[0].subject == "open.xml");
  CHECK(lint.findings[1].subject == "dynamic.xml");
  CHECK(lint.is_taken_on(0));
  CHECK_FALSE(lint.graphs[2].is_for_npu);
  CHECK_FALSE(lint.graphs[2].is_taken_on(0));
}

TEST_CASE("the IR is believed more than the manifest's word that a graph is static") {
  Parts parts;
  parts.graphs[1] = one_operation("ReLU", "-1");

  const NpuLint lint = lint_of(parts);

  REQUIRE(lint.findings.size() == 1);
  CHECK(lint.findings[0].kind == Kind::kRefused);
  CHECK(lint.findings[0].message.find("open dimension") != std::string::npos);
}

TEST_CASE("a graph that is damaged or gone is refused, and lint goes on") {
  Parts parts;
  parts.graphs[0] = "<net><layers>";

  const NpuLint lint = lint_of(parts);

  REQUIRE(lint.findings.size() == 1);
  CHECK(lint.findings[0].subject == "openvino_model.xml");
  CHECK(lint.findings[0].message.find("cannot be read") != std::string::npos);
  CHECK(lint.graphs[1].is_taken_on(0));

  const NpuLint without = lint_of({}, "step_w1.xml");
  REQUIRE(without.findings.size() == 1);
  CHECK(without.findings[0].message.find("step_w1.xml") != std::string::npos);
  CHECK_FALSE(without.is_taken_on(0));
}

TEST_CASE("no static graph at all is refused") {
  Parts parts;
  parts.manifest.graphs.clear();
  parts.graphs.clear();
  add(parts, {.file = "dynamic.xml", .plan = "dynamic", .open_width = true, .open_past = true},
      one_operation("ReLU", "-1"));

  const NpuLint lint = lint_of(parts);

  CHECK_FALSE(lint.is_taken_on(0));
  CHECK(std::any_of(lint.findings.begin(), lint.findings.end(),
                    [](const NpuFinding& finding) { return finding.kind == Kind::kRefused; }));
}

TEST_CASE("8-bit and unquantized layers and an f32 cache are risks, 8-bit tables are not") {
  for (const char* type : {"i8", "u8", "f16", "f32"}) {
    Parts parts;
    parts.manifest.weights[1] = {
        .role = "layers", .type = type, .group_size = type[0] == 'f' ? 0 : -1};
    const NpuLint lint = lint_of(parts);
    REQUIRE(lint.findings.size() == 1);
    CHECK(lint.findings[0].kind == Kind::kRisk);
    CHECK(lint.findings[0].message.find("--weights int4") != std::string::npos);
    CHECK(lint.is_taken_on(0));
  }
  Parts mixed;
  mixed.manifest.weights[1] = {.role = "layers", .type = "i4", .group_size = 128};
  for (const int32_t group : {0, 32}) {  // told once
    mixed.manifest.weights.push_back({.role = "layers", .type = "f16", .group_size = group});
  }
  const NpuLint lint = lint_of(mixed);
  REQUIRE(lint.findings.size() == 1);
  CHECK(lint.findings[0].subject == "layers f16");
  CHECK(lint.findings[0].message.find("--f16-layers") != std::string::npos);
  Parts parts;
  parts.manifest.cache_type = CacheType::kF32;
  CHECK(lint_of(parts).findings.at(0).kind == Kind::kRisk);
}

}  // namespace
}  // namespace ovenbird
