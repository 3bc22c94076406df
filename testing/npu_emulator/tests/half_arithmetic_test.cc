// ARITHMETIC=f16, through OpenVINO: each result is what f16 would round it to, to the last bit
// where f16 is normal, and overflows where f16 does; without it nothing is rounded.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <openvino/op/ops.hpp>
#include <random>

#include "base/float16.h"
#include "model_building.h"
#include "own_process.h"

namespace npu_emulator {
namespace {

namespace op0 = ov::op::v0;
namespace op1 = ov::op::v1;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kHalfNormalMin = 0x1p-14f;

float half(float value) { return ovenbird::f16_to_f32(ovenbird::f32_to_f16(value)); }

using Parameters = ov::ParameterVector;

std::shared_ptr<ov::Model> square(size_t numbers) {
  return model_of(1, {1, numbers},
                  [](const Parameters& inputs) { return op<op1::Multiply>(inputs[0], inputs[0]); });
}

TEST_CASE("300 times 300 is more than f16 can hold") {
  for (const auto& [arithmetic, expected] : {std::pair{"f16", kInfinity}, {"f32", 90000.0f}}) {
    if (!in_own_process({{"ARITHMETIC", arithmetic}})) continue;
    CHECK(run_once(square(1), {{300}})[0] == expected);
    CHECK(run_once(square(1), {{-300}})[0] == expected);
  }
}

TEST_CASE("the largest f16 is 65504 and what rounds beyond it is infinite") {
  if (!in_own_process({{"ARITHMETIC", "f16"}})) return;
  const auto sum = model_of(
      2, {1, 8}, [](const Parameters& inputs) { return op<op1::Add>(inputs[0], inputs[1]); });
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> left = {65504, 65504, 65504, -65504, -65504, 3e38f, kInfinity, nan};
  const std::vector<float> right = {15.9f, 15.99f, 16, -15.9f, -16, 3e37f, 1, 1};
  const std::vector<float> result = run_once(sum, {left, right});
  CHECK(result[0] == 65504);
  CHECK(result[1] == 65504);
  CHECK(result[2] == kInfinity);
  CHECK(result[3] == -65504);
  CHECK(result[4] == -kInfinity);
  CHECK(result[5] == kInfinity);
  CHECK(result[6] == kInfinity);
  CHECK(std::isnan(result[7]));
}

struct Operation {
  const char* name;
  Node (*build)(const Node& left, const Node& right);
  float (*compute)(float left, float right);
};

/// Those that IEEE 754 rounds in one way, so that there is one right answer.
const Operation kOperations[] = {
    {"add", [](const Node& x, const Node& y) { return op<op1::Add>(x, y); },
     [](float x, float y) { return x + y; }},
    {"subtract", [](const Node& x, const Node& y) { return op<op1::Subtract>(x, y); },
     [](float x, float y) { return x - y; }},
    {"multiply", [](const Node& x, const Node& y) { return op<op1::Multiply>(x, y); },
     [](float x, float y) { return x * y; }},
    {"divide", [](const Node& x, const Node& y) { return op<op1::Divide>(x, y); },
     [](float x, float y) { return x / y; }},
};

/// Numbers of many sizes; every second pair is of f16 numbers, whose sums and products lie half way
/// between two others all the time.
std::vector<float> random_numbers(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> mantissa(1, 2), exponent(-6, 7);
  std::vector<float> numbers(count);
  for (size_t at = 0; at < count; ++at) {
    const float sign = random() % 2 ? 1.0f : -1.0f;
    const float number = sign * std::ldexp(mantissa(random), static_cast<int>(exponent(random)));
    numbers[at] = at % 2 ? half(number) : number;
  }
  return numbers;
}

size_t count_wrong(const std::vector<float>& result, const std::vector<float>& expected) {
  size_t wrong = 0;
  for (size_t at = 0; at < result.size(); ++at) {
    if (std::abs(expected[at]) < kHalfNormalMin) continue;
    wrong += std::bit_cast<uint32_t>(result[at]) != std::bit_cast<uint32_t>(expected[at]);
  }
  return wrong;
}

TEST_CASE("each operation gives what f16 rounds its exact result to") {
  if (!in_own_process({{"ARITHMETIC", "f16"}})) return;
  constexpr size_t kCount = 20'000;
  const std::vector<float> left = random_numbers(kCount, 1), right = random_numbers(kCount, 2);
  for (const Operation& operation : kOperations) {
    const auto model = model_of(2, {1, kCount}, [&](const Parameters& inputs) {
      return operation.build(inputs[0], inputs[1]);
    });
    std::vector<float> expected(kCount);
    for (size_t at = 0; at < kCount; ++at) {
      expected[at] = half(operation.compute(left[at], right[at]));
    }
    CAPTURE(operation.name);
    CHECK(count_wrong(run_once(model, {left, right}), expected) == 0);
  }
}

TEST_CASE("a chain of operations is rounded after each of them") {
  if (!in_own_process({{"ARITHMETIC", "f16"}})) return;
  constexpr size_t kCount = 20'000;
  const std::vector<float> left = random_numbers(kCount, 3), right = random_numbers(kCount, 4);
  const auto model = model_of(2, {1, kCount}, [&](const Parameters& inputs) {
    Node value = inputs[0];
    for (const Operation& operation : kOperations) value = operation.build(value, inputs[1]);
    return op<op0::Sqrt>(op<op0::Abs>(value));
  });
  std::vector<float> expected = left;
  for (size_t at = 0; at < kCount; ++at) {
    for (const Operation& operation : kOperations) {
      expected[at] = half(operation.compute(expected[at], right[at]));
    }
    expected[at] = half(std::sqrt(std::abs(expected[at])));
  }
  CHECK(count_wrong(run_once(model, {left, right}), expected) == 0);
}

TEST_CASE("without it nothing is rounded") {
  if (!in_own_process({})) return;
  constexpr size_t kCount = 2'000;
  const std::vector<float> left = random_numbers(kCount, 1);
  std::vector<float> expected;
  for (const float x : left) expected.push_back(x * x);
  CHECK(run_once(square(kCount), {left}) == expected);
}

/// Runs on one number, with these types of layers in higher precision.
float run_with_higher_precision(const std::shared_ptr<ov::Model>& model, float x,
                                const std::string& types) {
  const std::string option = "compute-layers-with-higher-precision=" + types;
  return run_once(model, {{x}}, "NPU", {{"NPU_COMPILATION_MODE_PARAMS", option}})[0];
}

TEST_CASE("layers of a type may be asked to keep their precision") {
  if (!in_own_process({{"ARITHMETIC", "f16"}})) return;
  CHECK(run_with_higher_precision(square(1), 300, "Multiply") == 90000);
  CHECK(run_with_higher_precision(square(1), 300, "Sqrt,Multiply,Power") == 90000);
  CHECK(run_with_higher_precision(square(1), 300, "Mul") == kInfinity);
  CHECK(run_with_higher_precision(square(1), 300, "Sqrt,Add_RMSNorm") == kInfinity);
}

TEST_CASE("the addition in a norm may be asked to keep its precision") {
  if (!in_own_process({{"ARITHMETIC", "f16"}})) return;
  const auto root_of_sum = [](bool is_norm) {
    return model_of(1, {1, 1}, [&](const Parameters& inputs) {
      const auto axis = op0::Constant::create(ov::element::i64, {1}, {1});
      const auto some = op0::Constant::create(ov::element::f32, {1, 1}, {100.0f});
      const Node mean =
          is_norm ? op<op1::ReduceMean>(inputs[0], axis, true) : op<op0::Abs>(inputs[0]);
      return op<op0::Sqrt>(op<op1::Add>(mean, some));
    });
  };
  constexpr float kLargest = 65504;  // 100 more are too many for f16
  const float root = half(std::sqrt(kLargest + 100));
  CHECK(run_with_higher_precision(root_of_sum(true), kLargest, "Add_RMSNorm") == root);
  CHECK(run_with_higher_precision(root_of_sum(true), kLargest, "Power") == kInfinity);
  CHECK(run_with_higher_precision(root_of_sum(false), kLargest, "Add_RMSNorm") == kInfinity);
}

/// One head of attention with a norm before and a gated MLP behind it: [1, rows, columns].
std::shared_ptr<ov::Model> transformer_layer(size_t rows, size_t columns) {
  return model_of(1, {1, rows, columns}, [&](const Parameters& inputs) {
    std::mt19937 random(5);
    const auto weights = [&] {
      std::normal_distribution<float> numbers(0, 1 / std::sqrt(static_cast<float>(columns)));
      std::vector<float> values(columns * columns);
      for (float& value : values) value = half(numbers(random));
      return op0::Constant::create(ov::element::f32, {columns, columns}, values);
    };
    const auto matmul = [&](const Node& x) { return op<op0::MatMul>(x, weights(), false, true); };
    const auto constant = [](float value) {
      return op0::Constant::create(ov::element::f32, {1, 1, 1}, {value});
    };
    const auto norm = [&](const Node& x) {
      const auto axis = op0::Constant::create(ov::element::i64, {1}, {2});
      const Node mean = op<op1::ReduceMean>(op<op1::Multiply>(x, x), axis, true);
      return op<op1::Divide>(x, op<op0::Sqrt>(op<op1::Add>(mean, constant(1e-5f))));
    };
    const Node x = norm(inputs[0]);
    const Node scores = op<op1::Multiply>(op<op0::MatMul>(matmul(x), matmul(x), false, true),
                                          constant(1 / std::sqrt(static_cast<float>(columns))));
    const Node attended = op<op0::MatMul>(op<op1::Softmax>(scores, size_t{2}), matmul(x));
    const Node between = op<op1::Add>(inputs[0], matmul(attended));
    const Node y = norm(between);
    const Node gate = matmul(y);
    const Node gated =
        op<op1::Multiply>(op<op1::Multiply>(gate, op<op0::Sigmoid>(gate)), matmul(y));
    return op<op1::Add>(between, matmul(gated));
  });
}

TEST_CASE("a transformer's layer is off by about half a step of f16") {
  if (!in_own_process({{"ARITHMETIC", "f16"}})) return;
  constexpr size_t kRows = 16, kColumns = 64;
  const auto model = transformer_layer(kRows, kColumns);
  std::mt19937 random(6);
  std::normal_distribution<float> numbers(0, 1);
  std::vector<float> input(kRows * kColumns);
  for (float& value : input) value = numbers(random);
  const std::vector<float> rounded = run_once(model, {input});
  const std::vector<float> exact = run_once(model, {input}, "CPU");
  double error = 0, size = 0;
  for (size_t at = 0; at < exact.size(); ++at) {
    error += std::pow(rounded[at] - exact[at], 2);
    size += std::pow(exact[at], 2);
  }
  const double relative = std::sqrt(error / size);
  CHECK(relative > 0.25 / 2048);  // 1.12 of 2^-11 on the machine where this was written
  CHECK(relative < 4.0 / 2048);
}

}  // namespace
}  // namespace npu_emulator
