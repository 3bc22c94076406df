// Compiles through OpenVINO's NPU plugin: which weights which platform takes, what a refusal looks
// like to a program, blobs, queries, and the AUTO device.
#include <doctest/doctest.h>

#include <openvino/op/ops.hpp>
#include <openvino/pass/serialize.hpp>
#include <optional>
#include <sstream>

#include "model_building.h"
#include "npu/npu_rules.h"
#include "own_process.h"

namespace npu_emulator {
namespace {

using ov::op::v0::Constant;

std::shared_ptr<ov::Model> plus_one(size_t numbers = 16) {
  return model_of(1, {1, numbers}, [](const ov::ParameterVector& inputs) {
    return op<ov::op::v1::Add>(inputs[0], Constant::create(ov::element::f32, {1, 1}, {1.0f}));
  });
}

/// Why `model` is not compiled for the NPU; nothing if it is.
std::optional<std::string> why_refused(const std::shared_ptr<ov::Model>& model) {
  ov::Core core;
  try {
    core.compile_model(model, "NPU");
    return std::nullopt;
  } catch (const ov::Exception& refused) {
    return refused.what();
  }
}

bool says(const std::optional<std::string>& why, const char* words) {
  return why && why->find(words) != std::string::npos;
}

/// How the weights of the matmuls are stored.
struct Weights {
  const char* name;
  ov::element::Type type;
  size_t group = 0;  // 0: a whole row
  bool zeros = false;
  size_t matmuls = 1;
  std::vector<std::string> refused_on = {};
};

const std::vector<Weights>& weights_table() {
  static const std::vector<std::string> everywhere = {"3720", "4000", "5010"};
  static const std::vector<Weights> table = {
      {.name = "i4 by rows", .type = ov::element::i4},
      {.name = "i4 in groups of 128", .type = ov::element::i4, .group = 128},
      {.name = "i4 in groups of 32",
       .type = ov::element::i4,
       .group = 32,
       .refused_on = everywhere},
      {.name = "u4 with zero points",
       .type = ov::element::u4,
       .group = 128,
       .zeros = true,
       .refused_on = everywhere},
      {.name = "one matmul of i8", .type = ov::element::i8},
      {.name = "two matmuls of i8", .type = ov::element::i8, .matmuls = 2, .refused_on = {"4000"}},
      {.name = "nf4 by rows", .type = ov::element::nf4, .refused_on = {"3720"}},
      {.name = "nf4 in groups of 128",
       .type = ov::element::nf4,
       .group = 128,
       .refused_on = everywhere},
  };
  return table;
}

constexpr size_t kColumns = 256;

/// [rows, columns] of stored weights, as OpenVINO's compressed graphs read them.
Node decompressed(const Weights& weights, int seed) {
  const size_t group = weights.group == 0 ? kColumns : weights.group;
  const ov::Shape values{kColumns, kColumns / group, group}, scales{kColumns, kColumns / group, 1};
  const std::vector<uint8_t> bytes(kColumns * kColumns, static_cast<uint8_t>(0x21 + seed));
  Node result = op<ov::op::v0::Convert>(
      std::make_shared<Constant>(weights.type, values, bytes.data()), ov::element::f16);
  if (weights.zeros) {
    const auto zeros = std::make_shared<Constant>(weights.type, scales, bytes.data());
    result = op<ov::op::v1::Subtract>(result, op<ov::op::v0::Convert>(zeros, ov::element::f16));
  }
  result = op<ov::op::v1::Multiply>(result, Constant::create(ov::element::f16, scales, {0.25f}));
  result = op<ov::op::v1::Reshape>(
      result, Constant::create(ov::element::i64, {2}, {kColumns, kColumns}), false);
  return op<ov::op::v0::Convert>(result, ov::element::f32);
}

std::shared_ptr<ov::Model> matmuls(const Weights& weights) {
  return model_of(1, {1, kColumns}, [&](const ov::ParameterVector& inputs) {
    Node value = inputs[0];
    for (size_t number = 0; number < weights.matmuls; ++number) {
      const Node matrix = decompressed(weights, static_cast<int>(number));
      value = op<ov::op::v0::MatMul>(value, matrix, false, true);
    }
    return value;
  });
}

/// What the table of rules says to the IR that OpenVINO writes of a graph.
std::vector<ovenbird::NpuRefusal> rules_say(const std::shared_ptr<ov::Model>& model,
                                            const std::string& platform) {
  std::stringstream xml, bin;
  ov::pass::Serialize(xml, bin).run_on_model(model);
  const auto graph = ovenbird::read_ir_graph(xml.str());
  REQUIRE(graph);
  for (const auto known : ovenbird::kNpuPlatforms) {
    if (platform == name_of(known)) return npu_refusals(*graph, known);
  }
  FAIL("no such platform");
  return {};
}

TEST_CASE("each platform refuses the weights that the table of rules names") {
  for (const char* platform : {"3720", "4000", "5010"}) {
    if (!in_own_process({{"PLATFORM", platform}, {"BACKEND", "echo"}})) continue;
    for (const Weights& weights : weights_table()) {
      CAPTURE(platform);
      CAPTURE(weights.name);
      const auto& on = weights.refused_on;
      const bool refused = std::find(on.begin(), on.end(), platform) != on.end();
      const auto model = matmuls(weights);
      const std::optional<std::string> why = why_refused(model);
      CHECK(why.has_value() == refused);
      const auto rules = rules_say(model, platform);
      CHECK(rules.empty() != refused);
      for (const auto& rule : rules) CHECK(says(why, rule.why.c_str()));
    }
  }
}

TEST_CASE("without rules every kind of weights is compiled") {
  if (!in_own_process({{"RULES", "none"}, {"BACKEND", "echo"}})) return;
  for (const Weights& weights : weights_table()) {
    CAPTURE(weights.name);
    CHECK_FALSE(why_refused(matmuls(weights)));
  }
}

TEST_CASE("what the device does not take is an exception with its reason") {
  if (!in_own_process({})) return;
  const auto of_shape = [](const ov::PartialShape& shape) {
    const auto input = std::make_shared<ov::op::v0::Parameter>(ov::element::f32, shape);
    const Node result = op<ov::op::v0::Abs>(input);
    return std::make_shared<ov::Model>(ov::OutputVector{result}, ov::ParameterVector{input});
  };
  CHECK(says(why_refused(of_shape({2, 1, 1, 1, 1, 4})), "rank 6"));
  CHECK(says(why_refused(of_shape({2, 1, 1, 1, 1, 4})), "INVALID_ARGUMENT"));
  CHECK(says(why_refused(of_shape({1, -1})), "open"));
  CHECK(traced("compile").empty());
}

TEST_CASE("a graph that does not fit the memory is an exception that says so") {
  if (!in_own_process({{"MEMORY_MIB", "1"}})) return;
  const auto with_weights = [](size_t columns) {
    return model_of(1, {1, columns}, [&](const ov::ParameterVector& inputs) {
      const std::vector<float> values(columns * columns, 0.5f);
      const auto matrix = Constant::create(ov::element::f32, {columns, columns}, values);
      return op<ov::op::v0::MatMul>(inputs[0], matrix, false, true);
    });
  };
  CHECK_FALSE(why_refused(with_weights(128)));
  CHECK(says(why_refused(with_weights(600)), "OUT_OF_DEVICE_MEMORY"));
}

TEST_CASE("a compile takes as long as it is asked to") {
  if (!in_own_process({{"COMPILE_MS", "50"}})) return;
  CHECK_FALSE(why_refused(plus_one()));
  CHECK(traced("compile").at(0)["ms"] >= 50);
}

TEST_CASE("the plugin sees the platform that was asked for") {
  for (const char* platform : {"3720", "4000", "5010"}) {
    if (!in_own_process({{"PLATFORM", platform}, {"DRIVER_VERSION", "77"}})) continue;
    ov::Core core;
    CHECK(core.get_property("NPU", "DEVICE_ARCHITECTURE").as<std::string>() == platform);
    CHECK(core.get_property("NPU", "NPU_DRIVER_VERSION").as<std::string>() == "77");
    const auto name = core.get_property("NPU", "FULL_DEVICE_NAME").as<std::string>();
    CHECK(name.find("emulated") != std::string::npos);
  }
}

float run(ov::CompiledModel compiled, float x) {
  ov::InferRequest request = compiled.create_infer_request();
  std::fill_n(request.get_input_tensor().data<float>(), request.get_input_tensor().get_size(), x);
  request.infer();
  return request.get_output_tensor().data<float>()[0];
}

TEST_CASE("a model goes out as a blob and comes back") {
  if (!in_own_process({})) return;
  ov::Core core;
  std::stringstream blob;
  core.compile_model(plus_one(), "NPU").export_model(blob);
  CHECK(run(core.import_model(blob, "NPU"), 4) == 5);
  CHECK(traced("compile").size() == 1);
  CHECK(traced("blob_import").size() == 1);
}

TEST_CASE("a spoilt blob is an exception") {
  if (!in_own_process({})) return;
  ov::Core core;
  std::stringstream whole;
  core.compile_model(plus_one(), "NPU").export_model(whole);
  std::string bytes = whole.str();
  bytes[bytes.size() / 4] ^= 1;
  std::stringstream spoilt(bytes);
  CHECK_THROWS_AS(core.import_model(spoilt, "NPU"), ov::Exception);
  CHECK(traced("blob_refused").size() == 1);
}

TEST_CASE("a query names every layer of a graph that is taken") {
  if (!in_own_process({})) return;
  ov::Core core;
  const auto model = plus_one();
  const ov::SupportedOpsMap supported = core.query_model(model, "NPU");
  for (const auto& node : model->get_ops()) {
    CAPTURE(node->get_friendly_name());
    CHECK(supported.contains(node->get_friendly_name()));
  }
}

TEST_CASE("AUTO runs on the NPU if it is the first choice") {
  if (!in_own_process({})) return;
  ov::Core core;
  ov::CompiledModel compiled =
      core.compile_model(plus_one(), "AUTO:NPU,CPU", {{"ENABLE_STARTUP_FALLBACK", false}});
  CHECK(run(compiled, 4) == 5);
  const auto devices = compiled.get_property("EXECUTION_DEVICES").as<std::vector<std::string>>();
  REQUIRE(devices.size() == 1);
  CHECK(devices[0].starts_with("NPU"));
  CHECK(traced("execute").size() == 1);
}

TEST_CASE("a device that fails is an exception with the driver's code") {
  for (const auto& [fault, code] : {std::pair{"device-lost@1", "DEVICE_LOST"},
                                    {"run-oom@1", "OUT_OF_DEVICE_MEMORY"},
                                    {"job-error@1", "UNKNOWN"},
                                    {"submit-failure@1", "DEVICE_LOST"}}) {
    if (!in_own_process({{"FAULT", fault}})) continue;
    ov::Core core;
    ov::CompiledModel compiled = core.compile_model(plus_one(), "NPU");
    CAPTURE(fault);
    CHECK_THROWS_WITH_AS(run(compiled, 1), doctest::Contains(code), ov::Exception);
  }
}

}  // namespace
}  // namespace npu_emulator
