// Zero copy on the NPU, asked of the emulated driver's trace: which memory the device was given,
// how often, and whether the right numbers came out of it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <set>

#include "base/float16.h"
#include "engine/baked.h"
#include "engine/emulated.h"
#include "engine/step_buffers.h"

namespace ovenbird {
namespace {

using Json = nlohmann::json;

constexpr uint32_t kSteps = 200;
constexpr uint32_t kContext = 300;

/// What an NPU takes, in the types that it would use.
BakeOptions npu_options() {
  return {.target = Target::kNpu, .weights = WeightChoice::kInt4, .context = kContext};
}

const Baked& npu_bundle() {
  static const Baked baked("llama_gqa", npu_options());
  return baked;
}

Bundle asked_bundle() {
  Result<Bundle> bundle = Bundle::open(asked("OVENBIRD_TEST_BUNDLE"));
  if (!bundle) FAIL(bundle.error().message);
  return std::move(*bundle);
}

std::string address_of(const void* address) {
  char text[32];
  std::snprintf(text, sizeof text, "%p", address);
  return text;
}

size_t graph_of_width_one(const Engine& engine) {
  const auto& graphs = engine.graphs();
  const auto found = std::find_if(graphs.begin(), graphs.end(),
                                  [](const GraphInfo& graph) { return graph.width == 1; });
  REQUIRE(found != graphs.end());
  return static_cast<size_t>(found - graphs.begin());
}

void fill_cache_with_random_halves(const OwnedBuffers& buffers) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> numbers(-2.0f, 2.0f);
  for (std::byte* tensor : buffers.step.past.tensors) {
    auto* halves = reinterpret_cast<uint16_t*>(tensor);
    for (size_t i = 0; i < buffers.past_bytes / 2; ++i) halves[i] = f32_to_f16(numbers(random));
  }
}

/// A decode loop over the engine alone: the host gives an id, a position and a mask, and copies the
/// new row behind the others.
void decode(Engine& engine, Engine::Binding binding, OwnedBuffers& buffers, const ModelFacts& model,
            uint32_t past) {
  const size_t row_bytes = size_t{model.head_dim} * 2;
  for (uint32_t row = 0; row < kSteps; ++row) {
    buffers.step.input_ids[0] = 5 + row % 50;
    buffers.step.position_ids[0] = row;
    for (uint32_t column = 0; column < past; ++column) {
      buffers.step.attention_mask[column] = column < row ? 1 : 0;
    }
    const Status done = engine.step(binding, {.width = 1, .past = past});
    if (!done) FAIL(done.error().message);
    for (size_t tensor = 0; tensor < buffers.step.past.tensors.size(); ++tensor) {
      for (size_t head = 0; head < model.kv_heads; ++head) {
        std::memcpy(buffers.step.past.tensors[tensor] + (head * past + row) * row_bytes,
                    buffers.step.present.tensors[tensor] + head * row_bytes, row_bytes);
      }
    }
  }
}

/// Where each argument of a step should lie, by name.
Json addresses_of(const StepBuffers& buffers) {
  Json addresses{{"input_ids", address_of(buffers.input_ids.data())},
                 {"attention_mask", address_of(buffers.attention_mask.data())},
                 {"position_ids", address_of(buffers.position_ids.data())},
                 {"logits", address_of(buffers.logits.data())}};
  for (size_t index = 0; index < buffers.past.tensors.size(); ++index) {
    const std::string name = std::to_string(index / 2) + (index % 2 == 0 ? ".key" : ".value");
    addresses["past_key_values." + name] = address_of(buffers.past.tensors[index]);
    addresses["present." + name] = address_of(buffers.present.tensors[index]);
  }
  return addresses;
}

float worst_difference(std::span<const float> a, std::span<const float> b) {
  float worst = 0;
  for (size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  return worst;
}

TEST_CASE("child: decode over a cache of random values" * doctest::skip()) {
  const Bundle bundle = asked_bundle();
  const Manifest& manifest = bundle.manifest();
  const std::unique_ptr<Engine> engine = open_or_fail(bundle, on_device());
  const size_t graph = graph_of_width_one(*engine);
  const uint32_t past = engine->graphs()[graph].past;
  OwnedBuffers buffers(engine->graphs()[graph], manifest);
  fill_cache_with_random_halves(buffers);
  const Result<Engine::Binding> binding = engine->bind(graph, buffers.step);
  if (!binding) FAIL(binding.error().message);
  decode(*engine, *binding, buffers, manifest.model, past);
  CHECK(buffers.ends_are_untouched());
  const size_t decoded = trace_so_far().size();

  // The same step once more, on the CPU, over the same cache.
  EngineOptions exact = on_device();
  exact.device = "CPU";
  exact.exact = true;
  const std::unique_ptr<Engine> cpu = open_or_fail(bundle, exact);
  OwnedBuffers same(engine->graphs()[graph], manifest);
  std::ranges::copy(buffers.step.past.pages, same.step.past.pages.begin());
  std::ranges::copy(buffers.step.input_ids, same.step.input_ids.begin());
  std::ranges::copy(buffers.step.position_ids, same.step.position_ids.begin());
  std::ranges::copy(buffers.step.attention_mask, same.step.attention_mask.begin());
  const Result<Engine::Binding> on_cpu = cpu->bind(graph_of_width_one(*cpu), same.step);
  REQUIRE(on_cpu);
  REQUIRE(cpu->step(*on_cpu, {.width = 1, .past = past}));
  REQUIRE(engine->step(*binding, {.width = 1, .past = past}));
  report({{"addresses", addresses_of(buffers.step)},
          {"decoded", decoded},
          {"worst", worst_difference(buffers.step.logits, same.step.logits)},
          {"largest",
           worst_difference(buffers.step.logits, std::vector<float>(buffers.step.logits.size()))},
          {"same_rows", std::memcmp(buffers.step.present.pages.data(),
                                    same.step.present.pages.data(), buffers.present_bytes) == 0}});
}

TEST_CASE("over 200 decoded tokens the device reads and writes our memory, and nothing is copied") {
  const EmulatedRun run = run_emulated(
      "child: decode over a cache of random values",
      {{"TRACE_WRITES", "yes"}, {"OVENBIRD_TEST_BUNDLE", npu_bundle().path().string()}});
  CAPTURE(run.output);
  REQUIRE(run.exit_code == 0);
  REQUIRE(run.reports.size() == 1);
  const Json& told = run.reports[0];
  // The numbers first: a slice of the arena that is another one gives others.
  CHECK(told["worst"] == 0.0f);
  CHECK(told["largest"] > 0.5f);
  CHECK(told["same_rows"] == true);

  std::vector<Json> decoded = run.trace;
  decoded.resize(told["decoded"]);
  const auto first = std::find_if(decoded.begin(), decoded.end(),
                                  [](const Json& line) { return line["event"] == "execute"; });
  const ModelFacts model = npu_bundle().open().manifest().model;
  const uint64_t row_bytes = 2 * 2 * uint64_t{model.layers} * model.kv_heads * model.head_dim;
  size_t executions = 0;
  for (auto line = first; line != decoded.end(); ++line) {
    const std::string event = (*line)["event"];
    CHECK((event == "execute" || event == "submit"));  // no import, free, rebind, copy
    if (event != "execute") continue;
    ++executions;
    for (const Json& argument : (*line)["arguments"]) {
      CHECK(argument["memory"] == "imported");
      CHECK(argument["address"] == told["addresses"][argument["name"].get<std::string>()]);
    }
    // All of the cache is new to the device at first; then the row that the host has committed,
    // and what an id, a position and one more seen row change.
    if (executions > 1) CHECK((*line)["host_wrote_bytes"] <= row_bytes + 2 * sizeof(int64_t) + 1);
  }
  CHECK(executions == kSteps);
  const auto submits = std::count_if(decoded.begin(), decoded.end(),
                                     [](const Json& line) { return line["event"] == "submit"; });
  CHECK(submits == kSteps);
  // The cache is one import; inputs, logits and new rows are one each.
  CHECK(std::count_if(decoded.begin(), decoded.end(), [](const Json& line) {
          return line["event"] == "import" &&
                 line["id"] > 1;  // the first one tries whether it works
        }) == 6);
}

TEST_CASE("child: a conversation through the plan" * doctest::skip()) {
  const Bundle bundle = asked_bundle();
  Json notes = Json::array();
  EngineOptions options = on_device(asked("OVENBIRD_TEST_PLAN"));
  options.on_note = [&](const std::string& note) { notes.push_back(note); };
  Result<OpenedEngine> opened = open_engine(bundle, options);
  if (!opened) FAIL(opened.error().message);
  auto plan = make_plan(asked("OVENBIRD_TEST_PLAN"), *opened->engine, bundle.manifest());
  REQUIRE(plan);
  std::vector<int32_t> ids = {5, 6, 7, 8, 9, 10, 11, 12, 13};
  Json said = Json::array();
  std::span<const int32_t> next = ids;
  for (int token = 0; token < 40; ++token) {
    const Result<Logits> logits = (*plan)->step(next, LogitRows::kLast);
    if (!logits) FAIL(logits.error().message);
    (*plan)->commit(static_cast<uint32_t>(next.size()));
    const auto row = logits->row(0);
    ids.push_back(static_cast<int32_t>(std::ranges::max_element(row) - row.begin()));
    said.push_back(ids.back());
    next = std::span(ids).last(1);
  }
  report({{"said", said}, {"notes", notes}});
}

EmulatedRun converse(const std::string& plan, Environment settings,
                     const Baked& bundle = npu_bundle()) {
  settings["OVENBIRD_TEST_PLAN"] = plan;
  settings["OVENBIRD_TEST_BUNDLE"] = bundle.path().string();
  EmulatedRun run = run_emulated("child: a conversation through the plan", settings);
  CAPTURE(run.output);
  REQUIRE(run.exit_code == 0);
  REQUIRE(run.reports.size() == 1);
  return run;
}

TEST_CASE("a conversation submits once a step and binds nothing anew, on both plans") {
  for (const std::string plan : {"window", "cached"}) {
    CAPTURE(plan);
    const EmulatedRun run = converse(plan, {});
    CHECK(run.count("execute") == 40);
    CHECK(run.count("submit") == 40);
    CHECK(run.count("rebind") == 0);
    CHECK(run.reports[0]["notes"].empty());
    for (const Json& execution : run.events("execute")) {
      for (const Json& argument : execution["arguments"]) {
        CHECK(argument["memory"] == "imported");
      }
    }
  }
}

TEST_CASE("a driver that imports no memory gives the same answer, and that is said") {
  const EmulatedRun with = converse("cached", {});
  const EmulatedRun without = converse("cached", {{"IMPORT", "no"}});
  CHECK(without.reports[0]["said"] == with.reports[0]["said"]);
  CHECK(without.count("import") == 0);
  REQUIRE(without.reports[0]["notes"].size() == 1);
  CHECK(without.reports[0]["notes"][0].get<std::string>().find("imports no memory") !=
        std::string::npos);
}

TEST_CASE("a folded graph gives the same answer, and is imported as such") {
  const EmulatedRun whole = converse("window", {});
  std::filesystem::remove_all(npu_bundle().open().cache_directory());
  const EmulatedRun folded = converse("window", {{"FAULT", "compile-oom@1"}});
  CHECK(folded.reports[0]["said"] == whole.reports[0]["said"]);
  CHECK(folded.reports[0]["notes"].size() == 1);
  // Whole, it would be compiled now: nothing keeps it from that but the folded blob.
  const EmulatedRun again = converse("window", {});
  CHECK(again.count("compile") == 0);
  CHECK(again.count("blob_import") > 0);
  CHECK(again.reports[0]["said"] == whole.reports[0]["said"]);
  std::filesystem::remove_all(npu_bundle().open().cache_directory());
}

TEST_CASE("a folded graph gives the same answer over a cache of either type") {
  for (const CacheType cache : {CacheType::kF16, CacheType::kF32}) {
    // The wrapper finds no way to cut the smallest models with weights of 4 bit.
    const Baked bundle("llama_gqa", {.target = Target::kNpu,
                                     .weights = WeightChoice::kF32,
                                     .cache = cache,
                                     .context = kContext});
    const EmulatedRun folded = converse("cached", {{"FAULT", "compile-oom@1"}}, bundle);
    std::filesystem::remove_all(bundle.open().cache_directory());
    const EmulatedRun whole = converse("cached", {}, bundle);
    CHECK(folded.reports[0]["notes"].size() == 1);
    CHECK(folded.reports[0]["said"] == whole.reports[0]["said"]);
  }
}

TEST_CASE("every platform runs what bake made for an NPU") {
  for (const char* platform : {"3720", "4000", "5010"}) {
    CAPTURE(platform);
    std::filesystem::remove_all(npu_bundle().open().cache_directory());
    const EmulatedRun run = converse("cached", {{"PLATFORM", platform}});
    CHECK(run.count("compile_refused") == 0);
    const std::string flags = run.events("compile").at(0)["flags"];
    CHECK(flags.find("NPU_COMPILER_DYNAMIC_QUANTIZATION=\"YES\"") != std::string::npos);
    CHECK(flags.find("Add_RMSNorm") != std::string::npos);
    const bool third_level = flags.find("optimization-level=3") != std::string::npos;
    CHECK(third_level == (platform == std::string("4000")));
  }
}

}  // namespace
}  // namespace ovenbird
