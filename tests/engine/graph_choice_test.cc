// Recipes: which graphs of a bundle each device and plan uses, and in which order.
#include <doctest/doctest.h>

#include "bake/bake.h"
#include "engine/open_engine.h"

namespace ovenbird {
namespace {

using Files = std::vector<std::string>;

Manifest with_context(uint32_t past) {
  Manifest manifest;
  manifest.graphs = planned_graphs(past);
  return manifest;
}

Files files_for(const EngineOptions& options, const std::string& device, uint32_t past = 2048) {
  const auto graphs = graphs_for(with_context(past), options, device);
  if (!graphs) return {graphs.error().message};
  Files files;
  for (const GraphInfo& graph : *graphs) files.push_back(graph.file);
  return files;
}

EngineOptions cached(Recipe recipe, bool score = false) {
  return {.plan = "cached", .recipe = recipe, .score = score};
}

TEST_CASE("a CPU or GPU uses open graphs for prefill, and short pasts before long ones") {
  for (const char* device : {"CPU", "GPU"}) {
    CHECK(files_for(cached(Recipe::kLean), device) == Files{"step_open.xml"});
    CHECK(files_for(cached(Recipe::kBalanced), device) ==
          Files{"step_w128_open.xml", "step_w1_p512.xml", "step_w1_p2048.xml"});
    CHECK(files_for(cached(Recipe::kFast), device) ==
          Files{"step_w128_open.xml", "step_w8_p512.xml", "step_w8_p2048.xml", "step_w1_p512.xml",
                "step_w1_p2048.xml"});
    CHECK(files_for(cached(Recipe::kFast, true), device) ==
          Files{"step_w8_p512.xml", "step_w8_p2048.xml"});
  }
}

TEST_CASE("an NPU uses static graphs of the longest past only") {
  CHECK(files_for(cached(Recipe::kLean), "NPU") == Files{"step_w8_p2048.xml"});
  CHECK(files_for(cached(Recipe::kBalanced), "NPU") ==
        Files{"step_w128_p2048.xml", "step_w1_p2048.xml"});
  CHECK(files_for(cached(Recipe::kFast), "NPU") ==
        Files{"step_w128_p2048.xml", "step_w8_p2048.xml", "step_w1_p2048.xml"});
  CHECK(files_for(cached(Recipe::kBalanced, true), "NPU") == Files{"step_w8_p2048.xml"});
}

TEST_CASE("a short context has one set of graphs") {
  CHECK(files_for(cached(Recipe::kBalanced), "CPU", 300) ==
        Files{"step_w128_open.xml", "step_w1_p300.xml"});
  CHECK(files_for(cached(Recipe::kLean), "NPU", 1) == Files{"step_w8_p1.xml"});
}

TEST_CASE("the window is the same graph everywhere, whatever the recipe") {
  for (const char* device : {"CPU", "GPU", "NPU"}) {
    for (const Recipe recipe : {Recipe::kLean, Recipe::kBalanced, Recipe::kFast}) {
      CHECK(files_for({.plan = "window", .recipe = recipe}, device) == Files{"openvino_model.xml"});
    }
  }
}

TEST_CASE("the dynamic plan is for CPU and GPU") {
  CHECK(files_for({.plan = "dynamic"}, "CPU") == Files{"dynamic.xml"});
  const auto graphs = graphs_for(with_context(512), {.plan = "dynamic"}, "NPU");
  REQUIRE(!graphs);
  CHECK(graphs.error().code == Code::kInvalidArgument);
  CHECK(graphs.error().message.find("--plan cached") != std::string::npos);
}

TEST_CASE("a plan that the bundle lacks is an error") {
  for (const char* plan : {"", "Cached", "other"}) {
    const auto graphs = graphs_for(with_context(512), {.plan = plan}, "CPU");
    REQUIRE(!graphs);
    CHECK(graphs.error().code == Code::kInvalidArgument);
  }
  CHECK(!graphs_for(Manifest{}, {.plan = "cached"}, "CPU"));
}

TEST_CASE("every recipe can decode, and every scoring engine gives more than the last row") {
  for (const uint32_t past : {1u, 7u, 512u, 513u, 4096u}) {
    for (const char* device : {"CPU", "NPU"}) {
      for (const Recipe recipe : {Recipe::kLean, Recipe::kBalanced, Recipe::kFast}) {
        const auto graphs = graphs_for(with_context(past), cached(recipe), device);
        REQUIRE(graphs);
        uint32_t longest = 0;
        for (const GraphInfo& graph : *graphs) longest = std::max(longest, graph.past);
        CHECK(longest == past);
        if (std::string(device) == "NPU") {
          for (const GraphInfo& graph : *graphs) CHECK(graph.is_static());
        }
      }
      const auto scoring = graphs_for(with_context(past), cached(Recipe::kFast, true), device);
      REQUIRE(scoring);
      for (const GraphInfo& graph : *scoring) CHECK(graph.logit_rows == 0);
    }
  }
}

}  // namespace
}  // namespace ovenbird
