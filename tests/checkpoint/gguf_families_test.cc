// What a GGUF of each family means: what its keys and tensors say, and what llama.cpp's converter
// leaves out and its models take for granted.
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "checkpoint/opened_gguf.h"

namespace ovenbird {
namespace {

std::vector<bool> sliding(const ModelConfig& config) {
  std::vector<bool> slides;
  for (const LayerFacts& layer : config.layer_facts) slides.push_back(layer.slides);
  return slides;
}

size_t layers_with(const ModelConfig& config, LayerRope rope) {
  size_t count = 0;
  for (const LayerFacts& layer : config.layer_facts) count += layer.rope == rope;
  return count;
}

TEST_CASE("gemma2: scales, caps, norms with the 1 added, a window in every second layer") {
  TinyGguf file = good_gguf_of("gemma2");
  file.repeat_layer(3);
  const Opened opened(file);
  const ModelConfig& config = opened.config();
  CHECK(config.architecture == Architecture::kGemma2);
  CHECK(config.norms == NormPlacement::kBoth);
  CHECK(config.norm_offset == 0);
  CHECK(config.activation == Activation::kGeluTanh);
  CHECK(config.embedding_scale == std::sqrt(8.0f));
  CHECK(config.attention_scale == 0.5f);
  CHECK(config.attention_soft_cap == 50);  // those of every published one
  CHECK(config.logit_soft_cap == 30);
  CHECK(config.window == 16);
  CHECK(sliding(config) == std::vector<bool>{true, false, true});
  CHECK(layers_with(config, LayerRope::kLocal) == 0);
  CHECK(opened.checkpoint->find(Weight::kMlpPostNorm, 2)->name == "blk.2.post_ffw_norm.weight");
  CHECK(opened.checkpoint->find(Weight::kQuery, 0)->interleaved_heads == 0);
  CHECK(opened.json()["query_pre_attn_scalar"] == 4);
  CHECK(opened.json()["query_pre_attn_scalar"].is_number_integer());  // transformers insists

  file.set("gemma2.attn_logit_softcapping", gguf_f32(20));
  file.set("gemma2.final_logit_softcapping", gguf_f32(10));
  file.erase("gemma2.attention.sliding_window");  // early files: 4096
  const Opened early(file);
  CHECK(early.config().attention_soft_cap == 20);
  CHECK(early.config().logit_soft_cap == 10);
  CHECK(early.config().window == 0);  // more than the context
  file.set("gemma2.context_length", gguf_u32(8192));
  CHECK(Opened(file).config().window == 4096);
}

TEST_CASE("the largest gemmas scale their scores by hidden / heads") {
  for (const auto& [architecture, layers] : {std::pair("gemma2", 46U), {"gemma3", 62U}}) {
    CAPTURE(architecture);
    TinyGguf file = good_gguf_of(architecture);
    file.set(std::string(architecture) + ".attention.head_count", gguf_u32(1));
    file.set(std::string(architecture) + ".attention.key_length", gguf_u32(4));
    file.tensor("blk.0.attn_q.weight").dimensions = {8, 4};
    file.tensor("blk.0.attn_output.weight").dimensions = {4, 8};
    file.repeat_layer(layers);
    CHECK(Opened(file).config().attention_scale == 1 / std::sqrt(8.0f));
    file.repeat_layer(1);
    for (const GgufTensorInfo& info : std::vector(file.tensors)) {
      if (info.name.starts_with("blk.") && !info.name.starts_with("blk.0.")) {
        file.remove_tensor(info.name);
      }
    }
    CHECK(Opened(file).config().attention_scale == 0.5f);
  }
}

TEST_CASE("gemma3: every sixth layer sees all and is rotated by the file's theta") {
  TinyGguf file = good_gguf_of("gemma3");
  file.repeat_layer(7);
  file.set("gemma3.rope.freq_base", gguf_f32(1e6));
  file.set("gemma3.rope.scaling.factor", gguf_f32(8));
  const Opened opened(file);
  const ModelConfig& config = opened.config();
  CHECK(config.query_key_norm == QueryKeyNorm::kEachHead);
  CHECK(config.logit_soft_cap == 0);
  CHECK(sliding(config) == std::vector<bool>{true, true, true, true, true, false, true});
  CHECK(layers_with(config, LayerRope::kLocal) == 6);
  CHECK(config.rope.theta == 1e6);
  CHECK(config.rope.factor == 8);
  CHECK(config.local_rope.theta == 10000);
  CHECK(config.local_rope.scaling == RopeScaling::kNone);
  CHECK(opened.json()["layer_types"][5] == "full_attention");
  CHECK(opened.json()["rope_local_base_freq"] == 10000);

  file.set("gemma3.rope.freq_base_swa", gguf_f32(5000));
  CHECK(Opened(file).config().local_rope.theta == 5000);
}

TEST_CASE("which layers slide may be named, by a number or a list") {
  TinyGguf file = good_gguf_of("gemma3");
  file.repeat_layer(4);
  file.set("gemma3.attention.sliding_window_pattern", gguf_u32(3));
  CHECK(sliding(Opened(file).config()) == std::vector<bool>{true, true, false, true});
  file.set("gemma3.attention.sliding_window_pattern", gguf_bools({false, false, true, false}));
  CHECK(sliding(Opened(file).config()) == std::vector<bool>{false, false, true, false});

  file.erase("gemma3.attention.sliding_window");  // and no window at all: one rope
  const Opened plain(file);
  CHECK(sliding(plain.config()) == std::vector<bool>(4));
  CHECK(layers_with(plain.config(), LayerRope::kGlobal) == 4);
}

TEST_CASE("granite: four multipliers, the logits' one a divisor, interleaved rows") {
  TinyGguf file = good_gguf_of("granite");
  const Opened opened(file);
  CHECK(opened.config().attention_scale == 0.25f);
  CHECK(opened.config().embedding_scale == 12);
  CHECK(opened.config().residual_scale == 0.5f);
  CHECK(opened.config().logit_scale == 0.125f);
  CHECK(opened.checkpoint->find(Weight::kQuery, 0)->interleaved_heads == 2);
  CHECK(opened.json()["logits_scaling"] == 8);
  CHECK(opened.json()["attention_multiplier"] == 0.25);

  file.erase("granite.attention.scale");
  CHECK(Opened(file).config().attention_scale == 0);  // stands for 1 / sqrt(head size)
  CHECK(Opened(file).json()["attention_multiplier"] == 0.5);
}

TEST_CASE("olmo2: norms behind, one over all heads") {
  const Opened opened(good_gguf_of("olmo2"));
  CHECK(opened.config().norms == NormPlacement::kAfter);
  CHECK(opened.config().query_key_norm == QueryKeyNorm::kAllHeads);
  CHECK(opened.checkpoint->find(Weight::kAttentionNorm, 0) == nullptr);
  CHECK(opened.checkpoint->find(Weight::kAttentionPostNorm, 0) != nullptr);
  CHECK(opened.checkpoint->find(Weight::kQueryNorm, 0)->columns == 8);
  CHECK(opened.checkpoint->find(Weight::kKeyNorm, 0)->columns == 4);
  CHECK(opened.checkpoint->find(Weight::kQuery, 0)->interleaved_heads == 0);
}

TEST_CASE("phi3: parts of fused tensors, longrope from two tensors, a window in every layer") {
  TinyGguf file = good_gguf_of("phi3");
  const Opened opened(file);
  const Checkpoint& checkpoint = *opened.checkpoint;
  const Tensor& query = *checkpoint.find(Weight::kQuery, 0);
  CHECK(query.name == "blk.0.attn_qkv.weight");
  CHECK(query.rows == 8);
  CHECK(query.interleaved_heads == 0);
  CHECK(checkpoint.find(Weight::kKey, 0)->bytes.data() == query.bytes.data() + 8 * 32);
  CHECK(checkpoint.find(Weight::kValue, 0)->bytes.data() == query.bytes.data() + 12 * 32);
  const Tensor& gate = *checkpoint.find(Weight::kGate, 0);
  CHECK(gate.name == "blk.0.ffn_up.weight");
  CHECK(checkpoint.find(Weight::kUp, 0)->bytes.data() == gate.bytes.data() + 12 * 32);
  CHECK(opened.config().rope.scaling == RopeScaling::kLongRope);
  CHECK(opened.config().rope.long_divisors == std::vector<float>{4, 16});
  CHECK(opened.config().rope.short_divisors == std::vector<float>{1, 2});
  CHECK(opened.config().rope.original_context == 32);
  CHECK(opened.config().rope.attention_factor == 1.5);
  CHECK(sliding(opened.config()) == std::vector<bool>{true});

  file.set("phi3.attention.sliding_window", gguf_u32(0));  // Phi-4's word for none
  CHECK(sliding(Opened(file).config()) == std::vector<bool>{false});
  file.erase("phi3.attention.sliding_window");
  CHECK(Opened(file).config().window == 0);
}

TEST_CASE("phi3: a part of each head may be rotated") {
  TinyGguf file = good_gguf_of("phi3");
  file.set("phi3.rope.dimension_count", gguf_u32(2));
  file.erase("phi3.rope.scaling.attn_factor");
  file.remove_tensor("rope_factors_long.weight");
  file.remove_tensor("rope_factors_short.weight");
  const Opened opened(file);
  CHECK(opened.config().rotary_dim == 2);
  CHECK(opened.config().rope.scaling == RopeScaling::kNone);
  CHECK(opened.json()["partial_rotary_factor"] == 0.5);
}

TEST_CASE("smollm3: every fourth layer is not rotated, rows are interleaved") {
  TinyGguf file = good_gguf_of("smollm3");
  file.repeat_layer(5);
  const Opened opened(file);
  CHECK(layers_with(opened.config(), LayerRope::kNone) == 1);
  CHECK(opened.config().layer(3).rope == LayerRope::kNone);
  CHECK(opened.checkpoint->find(Weight::kKey, 3)->interleaved_heads == 1);
  CHECK(opened.json()["no_rope_layers"] == nlohmann::json{1, 1, 1, 0, 1});
}

TEST_CASE("a llama with experts is a mixtral, whose experts lie one behind another") {
  const Opened opened(good_gguf_of("mixtral"));
  const ModelConfig& config = opened.config();
  const Checkpoint& checkpoint = *opened.checkpoint;
  CHECK(config.architecture == Architecture::kMixtral);
  CHECK(config.experts == 3);
  CHECK(config.experts_per_token == 2);
  CHECK(config.expert_intermediate == 12);
  CHECK(config.normalizes_experts);
  CHECK(config.layer(0).has_experts);
  CHECK(checkpoint.find(Weight::kQuery, 0)->interleaved_heads == 2);
  CHECK(checkpoint.find(Weight::kRouter, 0)->rows == 3);
  const std::byte* first = checkpoint.find(Weight::kDown, 0, 0)->bytes.data();
  CHECK(checkpoint.find(Weight::kDown, 0, 2)->bytes.data() == first + 2 * 8 * 12 * 4);
  CHECK(checkpoint.find(Weight::kDown, 0, 3) == nullptr);
  CHECK(opened.json()["num_local_experts"] == 3);
}

TEST_CASE("qwen3moe: experts narrower than the MLP would be, rows as they are") {
  const Opened opened(good_gguf_of("qwen3moe"));
  CHECK(opened.config().architecture == Architecture::kQwen3Moe);
  CHECK(opened.config().expert_intermediate == 6);
  CHECK(opened.config().normalizes_experts);
  CHECK(opened.checkpoint->find(Weight::kQuery, 0)->interleaved_heads == 0);
  CHECK(opened.checkpoint->find(Weight::kGate, 0, 1)->rows == 6);
  CHECK(opened.json()["moe_intermediate_size"] == 6);
}

TEST_CASE("a file that names no theta means 10000, where its family does") {
  TinyGguf file = good_gguf_of("gemma2");  // the converter never names it there
  file.erase("gemma2.rope.freq_base");
  CHECK(Opened(file).config().rope.theta == 10000);
}

TEST_CASE("yarn is read in llama.cpp's words") {
  TinyGguf file = good_gguf_of("qwen3");
  file.set("qwen3.rope.scaling.type", gguf_text("yarn"));
  file.set("qwen3.rope.scaling.factor", gguf_f32(4));
  const Rope plain = Opened(file).config().rope;
  CHECK(plain.scaling == RopeScaling::kYarn);
  CHECK(plain.factor == 4);
  CHECK(plain.original_context == 64);
  CHECK(plain.beta_fast == 32);
  CHECK(plain.attention_factor == doctest::Approx(1 + 0.1 * std::log(4)));

  file.set("qwen3.rope.scaling.original_context_length", gguf_u32(16));
  file.set("qwen3.rope.scaling.yarn_beta_fast", gguf_f32(16));
  file.set("qwen3.rope.scaling.yarn_beta_slow", gguf_f32(2));
  file.set("qwen3.rope.scaling.yarn_attn_factor", gguf_f32(1.25f));
  file.set("qwen3.rope.scaling.yarn_ext_factor", gguf_f32(1));
  const Opened full(file);
  CHECK(full.config().rope.original_context == 16);
  CHECK(full.config().rope.beta_fast == 16);
  CHECK(full.config().rope.beta_slow == 2);
  CHECK(full.config().rope.attention_factor == 1.25);
  CHECK(full.json()["rope_scaling"]["rope_type"] == "yarn");
}

}  // namespace
}  // namespace ovenbird
