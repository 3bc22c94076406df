// NPU lint: what an NPU would refuse is told from the manifest, and nothing else is called refused.
#include "bundle/npu_lint.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace ovenbird {
namespace {

using Kind = NpuFinding::Kind;

/// What `bake --for npu` writes.
Manifest npu_bundle() {
  Manifest manifest;
  manifest.graphs = {{.file = "openvino_model.xml", .plan = "window", .width = 128},
                     {.file = "step_w1.xml", .plan = "cached", .width = 1, .past = 512}};
  manifest.weights = {
      {.role = "embedding", .type = "i8", .group_size = -1},
      {.role = "layers", .type = "i4", .group_size = 128},
      {.role = "norms", .type = "f32"},
  };
  return manifest;
}

std::vector<NpuFinding> with_layers(const WeightsInfo& weights) {
  Manifest manifest = npu_bundle();
  manifest.weights[1] = weights;
  manifest.weights[1].role = "layers";
  return npu_lint(manifest);
}

TEST_CASE("a bundle baked for the NPU has no finding") { CHECK(npu_lint(npu_bundle()).empty()); }

TEST_CASE("whole rows are as good as groups of 128") {
  CHECK(with_layers({.type = "i4", .group_size = -1}).empty());
}

TEST_CASE("other groups are refused, by name") {
  for (const int32_t group : {16, 32, 64, 127, 129}) {
    const auto findings = with_layers({.type = "i4", .group_size = group});
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].kind == Kind::kRefused);
    CHECK(findings[0].subject == "layers i4");
    CHECK(findings[0].message.find("groups of " + std::to_string(group)) != std::string::npos);
  }
}

TEST_CASE("zero points are refused, whether said or shown by the type") {
  CHECK(with_layers({.type = "i4", .group_size = 128, .symmetric = false}).at(0).kind ==
        Kind::kRefused);
  CHECK(with_layers({.type = "u4", .group_size = 128, .symmetric = true}).at(0).kind ==
        Kind::kRefused);
}

TEST_CASE("a GGUF's own blocks are refused for both their faults") {
  const auto findings = with_layers({.type = "u4", .group_size = 32, .symmetric = false});
  CHECK(findings.size() == 2);
}

TEST_CASE("8-bit and unquantized layers are a risk, 8-bit tables are not") {
  for (const char* type : {"i8", "f16", "f32"}) {
    const auto findings = with_layers({.type = type, .group_size = type[0] == 'i' ? -1 : 0});
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].kind == Kind::kRisk);
  }
}

TEST_CASE("open graphs are for CPU and GPU, which is not a fault") {
  Manifest manifest = npu_bundle();
  manifest.graphs.push_back(
      {.file = "open.xml", .plan = "cached", .width = 128, .open_width = true, .past = 512});
  manifest.graphs.push_back(
      {.file = "dynamic.xml", .plan = "dynamic", .open_width = true, .open_past = true});

  const auto findings = npu_lint(manifest);

  REQUIRE(findings.size() == 2);
  CHECK(findings[0].kind == Kind::kNotUsed);
  CHECK(findings[0].subject == "open.xml");
  CHECK(findings[1].subject == "dynamic.xml");
}

TEST_CASE("a port with an open dimension is believed more than the graph's word") {
  Manifest manifest = npu_bundle();
  manifest.graphs[1].inputs.push_back({.name = "input_ids", .type = "i64", .shape = {1, -1}});

  CHECK(npu_lint(manifest).at(0).subject == "step_w1.xml");
}

TEST_CASE("no static graph at all is refused") {
  Manifest manifest = npu_bundle();
  manifest.graphs = {{.file = "dynamic.xml", .plan = "dynamic", .open_width = true}};

  const auto findings = npu_lint(manifest);

  CHECK(std::any_of(findings.begin(), findings.end(),
                    [](const NpuFinding& finding) { return finding.kind == Kind::kRefused; }));
}

TEST_CASE("an f32 cache is a risk") {
  Manifest manifest = npu_bundle();
  manifest.cache_type = CacheType::kF32;
  CHECK(npu_lint(manifest).at(0).kind == Kind::kRisk);
}

}  // namespace
}  // namespace ovenbird
