// One step on memory that the test owns: what is bound is what the device reads and writes.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "engine/baked.h"
#include "engine/step_buffers.h"

namespace ovenbird {
namespace {

const Baked& tiny() {
  static const Baked baked("llama_gqa");
  return baked;
}

/// An engine over all graphs of a plan, and buffers bound to the first graph of this file name.
struct BoundStep {
  BoundStep(const std::string& plan, Recipe recipe, const std::string& file)
      : bundle(tiny().open()), engine(open_or_fail(bundle, on_device(plan, recipe))) {
    const auto& graphs = engine->graphs();
    const auto found = std::find_if(graphs.begin(), graphs.end(),
                                    [&](const GraphInfo& graph) { return graph.file == file; });
    REQUIRE(found != graphs.end());
    index = static_cast<size_t>(found - graphs.begin());
    buffers.emplace(*found, bundle.manifest());
    const Result<Engine::Binding> bound = engine->bind(index, buffers->step);
    if (!bound) FAIL(bound.error().message);
    binding = *bound;
  }

  std::vector<float> run(StepSize size) {
    const Status done = engine->step(binding, size);
    if (!done) FAIL(done.error().message);
    return {buffers->step.logits.begin(), buffers->step.logits.end()};
  }

  Bundle bundle;
  std::unique_ptr<Engine> engine;
  size_t index = 0;
  std::optional<OwnedBuffers> buffers;
  Engine::Binding binding = 0;
};

TEST_CASE("outputs appear in the caller's memory, all of it and nothing beyond") {
  BoundStep step("cached", Recipe::kFast, "step_w8_p192.xml");
  step.run({.width = 8, .past = 192});
  for (const float logit : step.buffers->step.logits) CHECK(std::abs(logit) < 1000);
  for (const std::byte* present : step.buffers->step.present.tensors) {
    const auto* numbers = reinterpret_cast<const float*>(present);
    float sum = 0;
    for (size_t i = 0; i < step.buffers->present_bytes / 4; ++i) sum += std::abs(numbers[i]);
    CHECK(sum > 0);
    CHECK(sum < 1e6f);
  }
  CHECK(step.buffers->ends_are_untouched());
}

TEST_CASE("what is changed in place is seen by the next step, without binding again") {
  BoundStep step("cached", Recipe::kFast, "step_w8_p192.xml");
  const StepSize size{.width = 8, .past = 192};
  const std::vector<float> first = step.run(size);
  CHECK(step.run(size) == first);

  step.buffers->step.input_ids[7] = 9;
  const std::vector<float> other_id = step.run(size);
  CHECK(other_id != first);
  step.buffers->step.input_ids[7] = 12;
  CHECK(step.run(size) == first);

  step.buffers->step.position_ids[7] = 100;
  CHECK(step.run(size) != first);
  step.buffers->step.position_ids[7] = 7;

  // Row 3 of every head of layer 0's values, hidden at first, then seen.
  const ModelFacts& model = step.bundle.manifest().model;
  auto* values = reinterpret_cast<float*>(step.buffers->step.past.tensors[1]);
  for (size_t head = 0; head < model.kv_heads; ++head) {
    std::fill_n(values + (head * 192 + 3) * model.head_dim, model.head_dim, 2.0f);
  }
  CHECK(step.run(size) == first);
  step.buffers->step.attention_mask[3] = 1;
  CHECK(step.run(size) != first);
}

TEST_CASE("an open graph uses its memory from the front, and sizes may change at every step") {
  if (!takes_open_graphs()) return;
  for (const auto& [plan, recipe, file] : {std::tuple("dynamic", Recipe::kBalanced, "dynamic.xml"),
                                           std::tuple("cached", Recipe::kLean, "step_open.xml")}) {
    CAPTURE(std::string(file));
    BoundStep step(plan, recipe, file);
    std::fill(step.buffers->step.attention_mask.begin(), step.buffers->step.attention_mask.end(),
              1);
    const std::vector<float> three = step.run({.width = 3, .past = 0});
    step.run({.width = 5, .past = 0});
    CHECK(step.buffers->ends_are_untouched());
    step.run({.width = 2, .past = 20});
    CHECK(step.run({.width = 1, .past = 0}) != three);
    const std::vector<float> again = step.run({.width = 3, .past = 0});
    const size_t used = 3 * step.bundle.manifest().model.vocabulary;
    CHECK(std::equal(again.begin(), again.begin() + static_cast<ptrdiff_t>(used), three.begin()));
    CHECK(step.buffers->ends_are_untouched());
  }
}

TEST_CASE("two bindings of one graph have nothing in common") {
  BoundStep step("cached", Recipe::kFast, "step_w8_p192.xml");
  const StepSize size{.width = 8, .past = 192};
  OwnedBuffers other(step.engine->graphs()[step.index], step.bundle.manifest());
  other.step.input_ids[7] = 9;
  const Result<Engine::Binding> second = step.engine->bind(step.index, other.step);
  REQUIRE(second);
  const std::vector<float> first = step.run(size);
  REQUIRE(step.engine->step(*second, size));
  CHECK(std::equal(first.begin(), first.end(), step.buffers->step.logits.begin()));
  CHECK(!std::equal(first.begin(), first.end(), other.step.logits.begin()));
}

TEST_CASE("a graph that was given back can be bound again, prepared or not") {
  BoundStep step("cached", Recipe::kFast, "step_w8_p192.xml");
  const StepSize size{.width = 8, .past = 192};
  const std::vector<float> first = step.run(size);
  for (const bool prepared : {false, true}) {
    step.engine->release(step.index);
    CHECK(!step.engine->step(step.binding, size));
    if (prepared) step.engine->prepare(step.index);
    const Result<Engine::Binding> again = step.engine->bind(step.index, step.buffers->step);
    REQUIRE(again);
    step.binding = *again;
    CHECK(step.run(size) == first);
  }
  step.engine->release(step.index);
  step.engine->prepare(step.index);
  step.engine->release(step.index);  // while it is being compiled
}

// --- manifests that do not fit their graphs

/// One field of the tiny bundle's manifest changed, and an engine that then runs the graph.
struct Change {
  std::string place;
  nlohmann::json value;
  EngineOptions options;
  bool changes_choice = false;  // an NPU would use another graph instead
};

/// What the change is answered with when every graph of the engine is bound.
Error error_after(const Baked& baked, const std::string& manifest, const Change& change) {
  nlohmann::json json = nlohmann::json::parse(manifest);
  json[nlohmann::json::json_pointer(change.place)] = change.value;
  std::ofstream(baked.path() / kManifestName) << json.dump();
  const Bundle bundle = baked.open();
  const Result<OpenedEngine> opened = open_engine(bundle, change.options);
  if (!opened) return opened.error();
  for (size_t graph = 0; graph < opened->engine->graphs().size(); ++graph) {
    OwnedBuffers buffers(opened->engine->graphs()[graph], bundle.manifest());
    const auto bound = opened->engine->bind(graph, buffers.step);
    if (!bound) return bound.error();
  }
  return {Code::kInternal, "nothing was noticed"};
}

TEST_CASE("a graph that is not what its manifest says is refused before memory is laid out") {
  const Baked baked("llama_gqa");
  const Manifest manifest = baked.open().manifest();
  const ModelFacts& model = manifest.model;
  const auto place_of = [&](const char* file) {
    const GraphInfo* graph = manifest.find_graph(file);
    REQUIRE(graph != nullptr);
    return "/graphs/" + std::to_string(graph - manifest.graphs.data());
  };
  const std::string w8 = place_of("step_w8_p192.xml");
  const std::string open = place_of("step_open.xml");
  const EngineOptions window = on_device("window");
  const EngineOptions lean = on_device("cached", Recipe::kLean);
  EngineOptions score = on_device();
  score.score = true;
  for (const Change& change : {Change{"/model/layers", model.layers + 1, window},
                               {"/model/layers", model.layers - 1, window},
                               {"/model/kv_heads", model.kv_heads * 2, window},
                               {"/model/vocabulary", model.vocabulary - 1, window},
                               {"/model/vocabulary", model.vocabulary + 1000, window},
                               {"/cache_type", "f16", window},
                               {"/graphs/0/width", 127, window},
                               {w8 + "/past", 191, score, true},
                               {w8 + "/past", 4096, score},
                               {w8 + "/open_past", true, score, true},
                               {w8 + "/open_width", true, score, true},
                               {w8 + "/logit_rows", 1, score},
                               {open + "/open_past", false, lean, true}}) {
    if (change.changes_choice && !takes_open_graphs()) continue;
    CAPTURE(change.place);
    CAPTURE(change.value.dump());
    const Error error = error_after(baked, to_json(manifest), change);
    CHECK(error.code == Code::kCorrupt);
    CHECK(error.message.starts_with("graph "));
    CHECK(error.message.find("manifest needs") != std::string::npos);
  }
  CHECK(error_after(baked, to_json(manifest), {"/version", 1, score}).code == Code::kInternal);
}

}  // namespace
}  // namespace ovenbird
