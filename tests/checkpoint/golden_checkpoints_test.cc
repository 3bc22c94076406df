// The golden checkpoints: a GGUF and the directory that it was made from hold the same model.
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "checkpoint/checkpoint.h"
#include "checkpoint/weight_table.h"

namespace ovenbird {
namespace {

std::unique_ptr<Checkpoint> open_golden(const std::string& name) {
  auto opened = open_checkpoint(OVENBIRD_TEST_DATA "/golden/" + name);
  if (!opened) FAIL(opened.error().message);
  return *std::move(opened);
}

/// The largest difference of any number, as a share of the largest number of its row.
double difference(const Tensor& left, const Tensor& right) {
  REQUIRE(left.rows == right.rows);
  REQUIRE(left.columns == right.columns);
  std::vector<float> a(left.columns), b(left.columns);
  double worst = 0;
  for (uint64_t row = 0; row < left.rows; ++row) {
    dequantize(left.type, left.row(row), a);
    dequantize(right.type, right.row(row), b);
    double peak = 1e-9;
    double apart = 0;
    for (size_t column = 0; column < a.size(); ++column) {
      peak = std::max(peak, std::abs(double{b[column]}));
      apart = std::max(apart, std::abs(double{a[column]} - b[column]));
    }
    worst = std::max(worst, apart / peak);
  }
  return worst;
}

struct Pair {
  const char* gguf;
  const char* directory;
  double difference_max;
};

TEST_CASE("every row of a GGUF is the row of the directory that it was made from") {
  for (const Pair& pair :
       {Pair{"gguf/llama_f16.gguf", "llama_gqa", 1e-3},
        Pair{"gguf/llama3_rope_bf16.gguf", "llama3_rope_tied", 0},
        Pair{"gguf/qwen2_q8_0.gguf", "qwen2", 0.01}, Pair{"gguf/qwen3_bf16.gguf", "qwen3", 0}}) {
    CAPTURE(pair.gguf);
    const auto gguf = open_golden(pair.gguf);
    const auto directory = open_golden(pair.directory);
    for (size_t kind = 0; kind < kWeightKinds; ++kind) {
      for (uint32_t layer = 0; layer < directory->config().layers; ++layer) {
        const auto weight = static_cast<Weight>(kind);
        const Tensor* wanted = directory->find(weight, layer);
        const Tensor* seen = gguf->find(weight, layer);
        REQUIRE((wanted != nullptr) == (seen != nullptr));
        if (!wanted) continue;
        CAPTURE(wanted->name);
        CHECK(difference(*seen, *wanted) <= pair.difference_max);
      }
    }
  }
}

TEST_CASE("a GGUF and its directory agree on the configuration") {
  for (const Pair& pair :
       {Pair{"gguf/llama_f16.gguf", "llama_gqa", 0},
        Pair{"gguf/llama3_rope_bf16.gguf", "llama3_rope_tied", 0},
        Pair{"gguf/qwen2_q8_0.gguf", "qwen2", 0}, Pair{"gguf/qwen3_bf16.gguf", "qwen3", 0}}) {
    CAPTURE(pair.gguf);
    const ModelConfig seen = open_golden(pair.gguf)->config();
    const ModelConfig wanted = open_golden(pair.directory)->config();
    CHECK(seen.architecture == wanted.architecture);
    CHECK(seen.hidden == wanted.hidden);
    CHECK(seen.layers == wanted.layers);
    CHECK(seen.heads == wanted.heads);
    CHECK(seen.kv_heads == wanted.kv_heads);
    CHECK(seen.head_dim == wanted.head_dim);
    CHECK(seen.intermediate == wanted.intermediate);
    CHECK(seen.vocabulary == wanted.vocabulary);
    CHECK(seen.context == wanted.context);
    CHECK(seen.rms_epsilon == wanted.rms_epsilon);
    CHECK(seen.tied_head == wanted.tied_head);
    CHECK(seen.query_key_norm == wanted.query_key_norm);
    const auto frequencies = rope_frequencies(seen.rope, seen.rotary_dim);
    const auto wanted_frequencies = rope_frequencies(wanted.rope, wanted.rotary_dim);
    REQUIRE(frequencies.size() == wanted_frequencies.size());
    for (size_t index = 0; index < frequencies.size(); ++index) {
      CHECK(frequencies[index] == doctest::Approx(wanted_frequencies[index]).epsilon(1e-6));
    }
  }
}

TEST_CASE("the golden directories are what their table says") {
  CHECK(open_golden("qwen2")->description() == "safetensors, qwen2, BF16, 2 files");
  CHECK(open_golden("mistral")->config().head_dim == 16);
  CHECK(open_golden("llama_mha")->config().rope.theta == 20000);
  const auto biased = open_golden("llama_linear_bias");
  CHECK(biased->config().rope.scaling == RopeScaling::kLinear);
  CHECK(biased->find(Weight::kOutputBias, 1) != nullptr);
  CHECK(biased->find(Weight::kDownBias, 1) != nullptr);
  CHECK(open_golden("llama3_rope_tied")->config().eos_ids.size() == 2);
}

}  // namespace
}  // namespace ovenbird
