// GGUF files of each family with one thing wrong in what only that family has: each is refused with
// one line that says what.
#include <cmath>

#include <doctest/doctest.h>

#include "base/limits.h"
#include "checkpoint/gguf_faults.h"

namespace ovenbird {
namespace {

TEST_CASE("the intact files open, so that a refusal proves something") {
  const TemporaryDirectory directory;
  for (const char* name : {"gemma2", "gemma3", "granite", "mixtral", "olmo2", "phi3", "qwen2",
                           "qwen3", "qwen3moe", "smollm3"}) {
    CAPTURE(name);
    const auto opened = open_checkpoint(directory.write("m.gguf", good_gguf_of(name).bytes()));
    if (!opened) FAIL(opened.error().message);
  }
}

TEST_CASE("a GGUF whose experts are not what its model needs is refused") {
  check_faults(
      good_gguf_of("mixtral"),
      {
          {"no router", Code::kCorrupt, "\"blk.0.ffn_gate_inp.weight\" is missing",
           [](auto& f) { f.remove_tensor("blk.0.ffn_gate_inp.weight"); }},
          {"experts in tensors of their own", Code::kCorrupt, "ffn_gate_exps.weight\" is missing",
           [](auto& f) {
             f.tensor("blk.0.ffn_gate_exps.weight").name = "blk.0.ffn_gate.0.weight";
           }},
          {"two experts of three", Code::kCorrupt, "[2, 12, 8]; the configuration needs [3, 12, 8]",
           [](auto& f) {
             f.tensor("blk.0.ffn_up_exps.weight").dimensions = {8, 12, 2};
           }},
          {"experts as one matrix", Code::kCorrupt, "[36, 8]; the configuration needs [3, 12, 8]",
           [](auto& f) {
             f.tensor("blk.0.ffn_gate_exps.weight").dimensions = {8, 36};
           }},
          {"experts turned round", Code::kCorrupt, "[3, 12, 8]; the configuration needs [3, 8, 12]",
           [](auto& f) {
             f.tensor("blk.0.ffn_down_exps.weight").dimensions = {8, 12, 3};
           }},
          {"one more expert than tensors", Code::kCorrupt, "the configuration needs [4, 12, 8]",
           [](auto& f) {
             f.set("llama.expert_count", gguf_u32(4));
             f.remove_tensor("blk.0.ffn_gate_inp.weight");
             f.add_tensor("blk.0.ffn_gate_inp.weight", {8, 4});
           }},
          {"2^32 - 1 experts", Code::kCorrupt, "the number of experts is 4294967295",
           [](auto& f) { f.set("llama.expert_count", gguf_u32(UINT32_MAX)); }},
          {"experts a text", Code::kCorrupt, "expert_count\" is not an integer",
           [](auto& f) { f.set("llama.expert_count", gguf_text("3")); }},
          {"how many are chosen is missing", Code::kCorrupt, "expert_used_count\" is missing",
           [](auto& f) { f.erase("llama.expert_used_count"); }},
          {"none is chosen", Code::kCorrupt, "experts for each token is 0",
           [](auto& f) { f.set("llama.expert_used_count", gguf_u32(0)); }},
          {"more are chosen than there are", Code::kCorrupt, "experts for each token is 4",
           [](auto& f) { f.set("llama.expert_used_count", gguf_u32(4)); }},
          {"shared experts", Code::kUnsupported, "shared experts",
           [](auto& f) { f.set("llama.expert_shared_count", gguf_u32(1)); }},
          {"groups", Code::kUnsupported, "expert_group_count",
           [](auto& f) { f.set("llama.expert_group_count", gguf_u32(2)); }},
          {"sigmoid", Code::kUnsupported, "softmax",
           [](auto& f) { f.set("llama.expert_gating_func", gguf_u32(2)); }},
          {"shares as they are", Code::kUnsupported, "expert_weights_norm",
           [](auto& f) { f.set("llama.expert_weights_norm", gguf_bool(false)); }},
          {"scaled shares", Code::kUnsupported, "expert_weights_scale",
           [](auto& f) { f.set("llama.expert_weights_scale", gguf_f32(2.5f)); }},
      });
}

TEST_CASE("a GGUF with experts where its family has none, or none where it has, is refused") {
  check_faults(good_gguf_of("qwen2"),
               {{"experts", Code::kUnsupported, "experts (MoE), which is not supported for qwen2",
                 [](auto& f) { f.set("qwen2.expert_count", gguf_u32(8)); }}});
  check_faults(good_gguf_of("qwen3moe"),
               {{"no count", Code::kCorrupt, "\"qwen3moe.expert_count\" is missing",
                 [](auto& f) { f.erase("qwen3moe.expert_count"); }},
                {"no width", Code::kCorrupt, "\"qwen3moe.expert_feed_forward_length\" is missing",
                 [](auto& f) { f.erase("qwen3moe.expert_feed_forward_length"); }},
                {"a width for each layer", Code::kUnsupported, "layers that differ",
                 [](auto& f) { f.set("qwen3moe.expert_feed_forward_length", gguf_i32s({6})); }},
                {"width 0", Code::kCorrupt, "experts' intermediate size is 0",
                 [](auto& f) { f.set("qwen3moe.expert_feed_forward_length", gguf_u32(0)); }}});
}

TEST_CASE("a GGUF whose longrope cannot be computed is refused") {
  check_faults(
      good_gguf_of("phi3"),
      {{"no long factors", Code::kCorrupt, "\"rope_factors_long.weight\" is missing",
        [](auto& f) { f.remove_tensor("rope_factors_long.weight"); }},
       {"no short factors", Code::kCorrupt, "\"rope_factors_short.weight\" is missing",
        [](auto& f) { f.remove_tensor("rope_factors_short.weight"); }},
       {"three factors for two pairs", Code::kCorrupt,
        "rope_factors_long.weight is not a list of 2",
        [](auto& f) {
          f.remove_tensor("rope_factors_long.weight");
          f.add_floats("rope_factors_long.weight", {1, 2, 3});
        }},
       {"factors in F16", Code::kCorrupt, "rope_factors_short.weight is not a list of 2 F32",
        [](auto& f) { f.tensor("rope_factors_short.weight").type = 1; }},
       {"factor 0", Code::kCorrupt, "a rope divisor is not a number greater than 0",
        [](auto& f) {
          f.remove_tensor("rope_factors_short.weight");
          f.add_floats("rope_factors_short.weight", {1, 0});
        }},
       {"no original context", Code::kCorrupt, "original_context_length\" is missing",
        [](auto& f) { f.erase("phi3.rope.scaling.original_context_length"); }},
       {"original context 0", Code::kCorrupt, "original_max_position_embeddings is 0",
        [](auto& f) { f.set("phi3.rope.scaling.original_context_length", gguf_u32(0)); }},
       {"no attention factor", Code::kCorrupt, "attn_factor\" is missing",
        [](auto& f) { f.erase("phi3.rope.scaling.attn_factor"); }},
       {"attention factor a whole number", Code::kCorrupt, "attn_factor\" is not a floating-point",
        [](auto& f) { f.set("phi3.rope.scaling.attn_factor", gguf_u32(1)); }},
       {"attention factor -1", Code::kCorrupt, "attention factor must be greater than 0",
        [](auto& f) { f.set("phi3.rope.scaling.attn_factor", gguf_f32(-1)); }},
       {"longrope by name only", Code::kCorrupt, "longrope rope scaling without",
        [](auto& f) {
          f.set("phi3.rope.scaling.type", gguf_text("longrope"));
          f.remove_tensor("rope_factors_long.weight");
          f.remove_tensor("rope_factors_short.weight");
        }},
       {"linear besides", Code::kUnsupported, "two rope scalings at once",
        [](auto& f) { f.set("phi3.rope.scaling.factor", gguf_f32(2)); }},
       {"an attention factor and no factors", Code::kUnsupported, "attn_factor without",
        [](auto& f) {
          f.remove_tensor("rope_factors_long.weight");
          f.remove_tensor("rope_factors_short.weight");
        }},
       {"odd rotation", Code::kCorrupt, "rope.dimension_count is 3",
        [](auto& f) { f.set("phi3.rope.dimension_count", gguf_u32(3)); }},
       {"fused rows are too few", Code::kCorrupt, "the configuration needs [16, 8]",
        [](auto& f) {
          f.tensor("blk.0.attn_qkv.weight").dimensions = {8, 12};
        }},
       {"gate and up apart", Code::kCorrupt, "the configuration needs [24, 8]", [](auto& f) {
          f.remove_tensor("blk.0.ffn_up.weight");
          f.add_tensor("blk.0.ffn_up.weight", {8, 12});
          f.add_tensor("blk.0.ffn_gate.weight", {8, 12});
        }}});
}

TEST_CASE("a GGUF with a yarn that is not built or cannot be computed is refused") {
  TinyGguf good = good_gguf_of("qwen3");
  good.set("qwen3.rope.scaling.type", gguf_text("yarn"));
  good.set("qwen3.rope.scaling.factor", gguf_f32(4));
  check_faults(good,
               {{"no factor", Code::kCorrupt, "without rope.scaling.factor",
                 [](auto& f) { f.erase("qwen3.rope.scaling.factor"); }},
                {"factor negative", Code::kCorrupt, "factor must be greater than 0",
                 [](auto& f) { f.set("qwen3.rope.scaling.factor", gguf_f32(-4)); }},
                {"beta 0", Code::kCorrupt, "beta_fast and beta_slow",
                 [](auto& f) { f.set("qwen3.rope.scaling.yarn_beta_fast", gguf_f32(0)); }},
                {"half of it", Code::kUnsupported, "yarn_ext_factor",
                 [](auto& f) { f.set("qwen3.rope.scaling.yarn_ext_factor", gguf_f32(0.5f)); }},
                {"deepseek's", Code::kUnsupported, "yarn_log_multiplier",
                 [](auto& f) { f.set("qwen3.rope.scaling.yarn_log_multiplier", gguf_f32(0.1f)); }},
                {"original context a text", Code::kCorrupt, "not an integer", [](auto& f) {
                   f.set("qwen3.rope.scaling.original_context_length", gguf_text("16"));
                 }}});
}

TEST_CASE("a GGUF with wrong numbers of gemma is refused") {
  check_faults(
      good_gguf_of("gemma3"),
      {{"a pattern for another model", Code::kCorrupt, "has 2 entries for 1 layers",
        [](auto& f) {
          f.set("gemma3.attention.sliding_window_pattern", gguf_bools({true, false}));
        }},
       {"a pattern of integers", Code::kCorrupt, "not a list of truth values",
        [](auto& f) { f.set("gemma3.attention.sliding_window_pattern", gguf_i32s({1})); }},
       {"a window that is a text", Code::kCorrupt, "sliding_window\" is not an integer",
        [](auto& f) { f.set("gemma3.attention.sliding_window", gguf_text("16")); }},
       {"no theta", Code::kCorrupt, "\"gemma3.rope.freq_base\" is missing",
        [](auto& f) { f.erase("gemma3.rope.freq_base"); }},
       {"local theta 0", Code::kCorrupt, "theta must be greater than 0",
        [](auto& f) { f.set("gemma3.rope.freq_base_swa", gguf_f32(0)); }},
       {"negative cap", Code::kCorrupt, "the logits' soft cap must be",
        [](auto& f) { f.set("gemma3.final_logit_softcapping", gguf_f32(-30)); }},
       {"cap a whole number", Code::kCorrupt, "not a floating-point",
        [](auto& f) { f.set("gemma3.final_logit_softcapping", gguf_u32(30)); }},
       {"no norm behind the MLP", Code::kCorrupt, "post_ffw_norm.weight\" is missing",
        [](auto& f) { f.remove_tensor("blk.0.post_ffw_norm.weight"); }},
       {"a multiplier", Code::kUnsupported, "attention.scale, which is not supported for gemma3",
        [](auto& f) { f.set("gemma3.attention.scale", gguf_f32(0.5f)); }}});
  check_faults(good_gguf_of("gemma2"),
               {{"a rope of the sliding layers' own", Code::kUnsupported, "rope.freq_base_swa",
                 [](auto& f) { f.set("gemma2.rope.freq_base_swa", gguf_f32(5000)); }}});
}

TEST_CASE("a GGUF with wrong numbers of granite, or a window of olmo2, is refused") {
  check_faults(good_gguf_of("granite"),
               {{"no scale of logits", Code::kCorrupt, "\"granite.logit_scale\" is missing",
                 [](auto& f) { f.erase("granite.logit_scale"); }},
                {"logits over 0", Code::kCorrupt, "the logits' scale must be",
                 [](auto& f) { f.set("granite.logit_scale", gguf_f32(0)); }},
                {"embedding by 0", Code::kCorrupt, "the embedding's scale must be",
                 [](auto& f) { f.set("granite.embedding_scale", gguf_f32(0)); }},
                {"residual nan", Code::kCorrupt, "not finite",
                 [](auto& f) { f.set("granite.residual_scale", gguf_f32(std::nanf(""))); }},
                {"attention a text", Code::kCorrupt, "not a floating-point",
                 [](auto& f) { f.set("granite.attention.scale", gguf_text("1")); }},
                {"no positions at all", Code::kUnsupported, "rope.scaling.finetuned",
                 [](auto& f) { f.set("granite.rope.scaling.finetuned", gguf_bool(false)); }}});
  check_faults(good_gguf_of("olmo2"),  // that is how the converter writes an Olmo 3
               {{"window", Code::kUnsupported, "a sliding window of 16 tokens",
                 [](auto& f) { f.set("olmo2.attention.sliding_window", gguf_u32(16)); }}});
}

}  // namespace
}  // namespace ovenbird
