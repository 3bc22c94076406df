// The golden checkpoints: a GGUF and the directory that it was made from hold the same model.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "base/json.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/hugging_face_config.h"
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
        Pair{"gguf/qwen2_q8_0.gguf", "qwen2", 0.01}, Pair{"gguf/qwen3_bf16.gguf", "qwen3", 0},
        Pair{"gguf/granite_f16.gguf", "granite", 0}, Pair{"gguf/olmo2_f16.gguf", "olmo2", 1e-3},
        Pair{"gguf/smollm3_bf16.gguf", "smollm3", 0},
        Pair{"gguf/phi_long_bf16.gguf", "phi3_long_rope", 0},
        Pair{"gguf/mixtral_bf16.gguf", "mixtral", 0}}) {
    CAPTURE(pair.gguf);
    const auto gguf = open_golden(pair.gguf);
    const auto directory = open_golden(pair.directory);
    for (size_t kind = 0; kind < kWeightKinds; ++kind) {
      for (uint32_t layer = 0; layer < directory->config().layers; ++layer) {
        const auto weight = static_cast<Weight>(kind);
        for (uint32_t expert = 0; expert < std::max(directory->config().experts, 1U); ++expert) {
          const Tensor* wanted = directory->find(weight, layer, expert);
          const Tensor* seen = gguf->find(weight, layer, expert);
          REQUIRE((wanted != nullptr) == (seen != nullptr));
          if (!wanted) continue;
          CAPTURE(wanted->name);
          CHECK(difference(*seen, *wanted) <= pair.difference_max);
        }
      }
    }
  }
}

void check_same_rope(const Rope& seen, const Rope& wanted, uint32_t rotary_dim) {
  CHECK(seen.attention_factor == doctest::Approx(wanted.attention_factor).epsilon(1e-6));
  for (const uint32_t context : {1U, UINT32_MAX}) {
    const auto frequencies = rope_frequencies(rope_for_context(seen, context), rotary_dim);
    const auto wanted_ones = rope_frequencies(rope_for_context(wanted, context), rotary_dim);
    for (size_t index = 0; index < frequencies.size(); ++index) {
      CHECK(frequencies[index] == doctest::Approx(wanted_ones[index]).epsilon(1e-6));
    }
  }
}

void check_same_layers(const ModelConfig& seen, const ModelConfig& wanted) {
  REQUIRE(seen.layers == wanted.layers);
  CHECK(seen.window == wanted.window);
  CHECK(seen.experts == wanted.experts);
  CHECK(seen.experts_per_token == wanted.experts_per_token);
  CHECK(seen.expert_intermediate == wanted.expert_intermediate);
  CHECK(seen.normalizes_experts == wanted.normalizes_experts);
  for (uint32_t layer = 0; layer < wanted.layers; ++layer) {
    CHECK(seen.layer(layer).slides == wanted.layer(layer).slides);
    CHECK(seen.layer(layer).rope == wanted.layer(layer).rope);
    CHECK(seen.layer(layer).has_experts == wanted.layer(layer).has_experts);
  }
}

/// What attention scales scores by; two sources may say the usual number in two ways.
float attention_scale(const ModelConfig& config) {
  return config.attention_scale == 0 ? 1 / std::sqrt(float(config.head_dim))
                                     : config.attention_scale;
}

void check_same_config(const ModelConfig& seen, const ModelConfig& wanted) {
  CHECK(seen.architecture == wanted.architecture);
  CHECK(seen.hidden == wanted.hidden);
  CHECK(seen.heads == wanted.heads);
  CHECK(seen.kv_heads == wanted.kv_heads);
  CHECK(seen.head_dim == wanted.head_dim);
  CHECK(seen.intermediate == wanted.intermediate);
  CHECK(seen.vocabulary == wanted.vocabulary);
  CHECK(seen.context == wanted.context);
  CHECK(seen.rms_epsilon == wanted.rms_epsilon);
  CHECK(seen.tied_head == wanted.tied_head);
  CHECK(seen.norms == wanted.norms);
  CHECK(seen.query_key_norm == wanted.query_key_norm);
  CHECK(seen.activation == wanted.activation);
  CHECK(attention_scale(seen) == doctest::Approx(attention_scale(wanted)).epsilon(1e-6));
  CHECK(seen.embedding_scale == wanted.embedding_scale);
  CHECK(seen.residual_scale == wanted.residual_scale);
  CHECK(seen.logit_scale == wanted.logit_scale);
  CHECK(seen.attention_soft_cap == wanted.attention_soft_cap);
  CHECK(seen.logit_soft_cap == wanted.logit_soft_cap);
  check_same_layers(seen, wanted);
  REQUIRE(seen.rotary_dim == wanted.rotary_dim);
  check_same_rope(seen.rope, wanted.rope, wanted.rotary_dim);
  if (wanted.has_layer_with(LayerRope::kLocal)) {
    check_same_rope(seen.local_rope, wanted.local_rope, wanted.rotary_dim);
  }
}

TEST_CASE("a GGUF and its directory agree on the configuration") {
  for (const Pair& pair :
       {Pair{"gguf/llama_f16.gguf", "llama_gqa", 0},
        Pair{"gguf/llama3_rope_bf16.gguf", "llama3_rope_tied", 0},
        Pair{"gguf/qwen2_q8_0.gguf", "qwen2", 0}, Pair{"gguf/qwen3_bf16.gguf", "qwen3", 0},
        Pair{"gguf/granite_f16.gguf", "granite", 0}, Pair{"gguf/olmo2_f16.gguf", "olmo2", 0},
        Pair{"gguf/phi_long_bf16.gguf", "phi3_long_rope", 0},
        Pair{"gguf/mixtral_bf16.gguf", "mixtral", 0}}) {
    CAPTURE(pair.gguf);
    check_same_config(open_golden(pair.gguf)->config(), open_golden(pair.directory)->config());
  }
}

TEST_CASE("config.json that is made for a GGUF says the same model to a reader of directories") {
  for (const char* name :
       {"llama_f16", "llama3_rope_bf16", "llama_mixed", "qwen2_q8_0", "qwen3_bf16", "gemma2_f16",
        "gemma3_bf16", "granite_f16", "olmo2_f16", "smollm3_bf16", "qwen3_yarn_bf16",
        "phi_short_f16", "phi_long_bf16", "mixtral_bf16", "qwen3_moe_bf16"}) {
    CAPTURE(name);
    const auto gguf = open_golden("gguf/" + std::string(name) + ".gguf");
    const auto model = hugging_face_model(*parse_json(gguf->config_json()), {});
    if (!model) FAIL(model.error().message);
    check_same_config(model->config, gguf->config());
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
