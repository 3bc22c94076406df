// What the weights of a decoder are called in files, and where in a tensor they lie.
#include "checkpoint/weight_names.h"

#include <iterator>
#include <string_view>

#include "base/check.h"
#include "checkpoint/family.h"
#include "checkpoint/weight_table.h"

namespace ovenbird {
namespace {

constexpr std::string_view kLayerMark = "#";   // stands for the layer's number in a name
constexpr std::string_view kExpertMark = "@";  // and for the expert's

struct WeightNames {
  Weight weight;
  bool is_per_layer;
  const char* hugging_face;
  const char* gguf;
};

// The names that most families use; name_in_file() has the others.
constexpr WeightNames kNames[] = {
    {Weight::kEmbedding, false, "model.embed_tokens.weight", "token_embd.weight"},
    {Weight::kFinalNorm, false, "model.norm.weight", "output_norm.weight"},
    {Weight::kHead, false, "lm_head.weight", "output.weight"},
    {Weight::kAttentionNorm, true, "model.layers.#.input_layernorm.weight",
     "blk.#.attn_norm.weight"},
    {Weight::kQuery, true, "model.layers.#.self_attn.q_proj.weight", "blk.#.attn_q.weight"},
    {Weight::kKey, true, "model.layers.#.self_attn.k_proj.weight", "blk.#.attn_k.weight"},
    {Weight::kValue, true, "model.layers.#.self_attn.v_proj.weight", "blk.#.attn_v.weight"},
    {Weight::kOutput, true, "model.layers.#.self_attn.o_proj.weight", "blk.#.attn_output.weight"},
    {Weight::kQueryBias, true, "model.layers.#.self_attn.q_proj.bias", "blk.#.attn_q.bias"},
    {Weight::kKeyBias, true, "model.layers.#.self_attn.k_proj.bias", "blk.#.attn_k.bias"},
    {Weight::kValueBias, true, "model.layers.#.self_attn.v_proj.bias", "blk.#.attn_v.bias"},
    {Weight::kOutputBias, true, "model.layers.#.self_attn.o_proj.bias", "blk.#.attn_output.bias"},
    {Weight::kQueryNorm, true, "model.layers.#.self_attn.q_norm.weight",
     "blk.#.attn_q_norm.weight"},
    {Weight::kKeyNorm, true, "model.layers.#.self_attn.k_norm.weight", "blk.#.attn_k_norm.weight"},
    {Weight::kMlpNorm, true, "model.layers.#.post_attention_layernorm.weight",
     "blk.#.ffn_norm.weight"},
    {Weight::kGate, true, "model.layers.#.mlp.gate_proj.weight", "blk.#.ffn_gate.weight"},
    {Weight::kUp, true, "model.layers.#.mlp.up_proj.weight", "blk.#.ffn_up.weight"},
    {Weight::kDown, true, "model.layers.#.mlp.down_proj.weight", "blk.#.ffn_down.weight"},
    {Weight::kGateBias, true, "model.layers.#.mlp.gate_proj.bias", "blk.#.ffn_gate.bias"},
    {Weight::kUpBias, true, "model.layers.#.mlp.up_proj.bias", "blk.#.ffn_up.bias"},
    {Weight::kDownBias, true, "model.layers.#.mlp.down_proj.bias", "blk.#.ffn_down.bias"},
    {Weight::kAttentionPostNorm, true, "model.layers.#.post_attention_layernorm.weight",
     "blk.#.post_attention_norm.weight"},
    {Weight::kMlpPostNorm, true, "model.layers.#.post_feedforward_layernorm.weight",
     "blk.#.post_ffw_norm.weight"},
    {Weight::kRouter, true, "model.layers.#.mlp.gate.weight", "blk.#.ffn_gate_inp.weight"},
};

constexpr bool names_follow_the_enumerators() {
  for (size_t index = 0; index < std::size(kNames); ++index) {
    if (static_cast<size_t>(kNames[index].weight) != index) return false;
  }
  return std::size(kNames) == kWeightKinds;
}
static_assert(names_follow_the_enumerators());

bool is_expert_part(Weight weight) {
  return weight == Weight::kGate || weight == Weight::kUp || weight == Weight::kDown;
}

const char* expert_name(ExpertNames names, NameStyle style, Weight weight) {
  if (style == NameStyle::kGguf) {
    if (weight == Weight::kGate) return "blk.#.ffn_gate_exps.weight";
    return weight == Weight::kUp ? "blk.#.ffn_up_exps.weight" : "blk.#.ffn_down_exps.weight";
  }
  if (names == ExpertNames::kMixtral) {
    if (weight == Weight::kGate) return "model.layers.#.block_sparse_moe.experts.@.w1.weight";
    return weight == Weight::kUp ? "model.layers.#.block_sparse_moe.experts.@.w3.weight"
                                 : "model.layers.#.block_sparse_moe.experts.@.w2.weight";
  }
  if (weight == Weight::kGate) return "model.layers.#.mlp.experts.@.gate_proj.weight";
  return weight == Weight::kUp ? "model.layers.#.mlp.experts.@.up_proj.weight"
                               : "model.layers.#.mlp.experts.@.down_proj.weight";
}

/// The name of a fused tensor that a weight is a part of; null if it is none.
const char* fused_name(NameStyle style, Weight weight) {
  const bool is_gguf = style == NameStyle::kGguf;
  switch (weight) {
    case Weight::kQuery:
    case Weight::kKey:
    case Weight::kValue:
      return is_gguf ? "blk.#.attn_qkv.weight" : "model.layers.#.self_attn.qkv_proj.weight";
    case Weight::kGate:
    case Weight::kUp:
      return is_gguf ? "blk.#.ffn_up.weight" : "model.layers.#.mlp.gate_up_proj.weight";
    default:
      return nullptr;
  }
}

const char* name_in_file(const ModelConfig& config, NameStyle style, Weight weight,
                         bool is_expert) {
  const Family& family = family_of(config.architecture);
  if (is_expert) return expert_name(family.experts, style, weight);
  if (family.is_fused && fused_name(style, weight)) return fused_name(style, weight);
  const WeightNames& names = kNames[static_cast<size_t>(weight)];
  if (style == NameStyle::kGguf) return names.gguf;
  if (weight == Weight::kMlpNorm && config.norms == NormPlacement::kBoth) {
    return "model.layers.#.pre_feedforward_layernorm.weight";
  }
  if (weight == Weight::kRouter && family.experts == ExpertNames::kMixtral) {
    return "model.layers.#.block_sparse_moe.gate.weight";
  }
  return names.hugging_face;
}

std::string with_numbers(std::string name, uint32_t layer, uint32_t expert) {
  for (const auto& [mark, number] : {std::pair(kLayerMark, layer), {kExpertMark, expert}}) {
    if (const size_t at = name.find(mark); at != std::string::npos) {
      name.replace(at, mark.size(), std::to_string(number));
    }
  }
  return name;
}

struct Shape {
  uint64_t rows, columns;  // rows = 0: a vector
};

Shape query_key_norm_shape(const ModelConfig& config, uint64_t heads) {
  const bool is_one_row = config.query_key_norm == QueryKeyNorm::kAllHeads;
  return {0, is_one_row ? heads * config.head_dim : config.head_dim};
}

Shape shape_of(const ModelConfig& config, Weight weight, bool is_expert) {
  const uint64_t hidden = config.hidden;
  const uint64_t query = uint64_t{config.heads} * config.head_dim;
  const uint64_t key = uint64_t{config.kv_heads} * config.head_dim;
  const uint64_t intermediate = is_expert ? config.expert_intermediate : config.intermediate;
  switch (weight) {
    case Weight::kEmbedding:
    case Weight::kHead:
      return {config.vocabulary, hidden};
    case Weight::kFinalNorm:
    case Weight::kAttentionNorm:
    case Weight::kMlpNorm:
    case Weight::kAttentionPostNorm:
    case Weight::kMlpPostNorm:
    case Weight::kOutputBias:
    case Weight::kDownBias:
      return {0, hidden};
    case Weight::kQuery:
      return {query, hidden};
    case Weight::kKey:
    case Weight::kValue:
      return {key, hidden};
    case Weight::kOutput:
      return {hidden, query};
    case Weight::kQueryBias:
      return {0, query};
    case Weight::kKeyBias:
    case Weight::kValueBias:
      return {0, key};
    case Weight::kQueryNorm:
      return query_key_norm_shape(config, config.heads);
    case Weight::kKeyNorm:
      return query_key_norm_shape(config, config.kv_heads);
    case Weight::kGate:
    case Weight::kUp:
      return {intermediate, hidden};
    case Weight::kDown:
      return {hidden, intermediate};
    case Weight::kGateBias:
    case Weight::kUpBias:
      return {0, intermediate};
    case Weight::kRouter:
      return {config.experts, hidden};
  }
  return {0, 0};
}

/// The weights that share a fused tensor with `weight`, in the order of its rows.
std::vector<Weight> fused_with(Weight weight) {
  if (weight == Weight::kGate || weight == Weight::kUp) return {Weight::kGate, Weight::kUp};
  return {Weight::kQuery, Weight::kKey, Weight::kValue};
}

}  // namespace

bool is_per_layer(Weight weight) { return kNames[static_cast<size_t>(weight)].is_per_layer; }

uint32_t count_in_layer(const ModelConfig& config, Weight weight, uint32_t layer) {
  const bool has_experts = config.layer(layer).has_experts;
  if (weight == Weight::kRouter) return has_experts ? 1 : 0;
  return is_expert_part(weight) && has_experts ? config.experts : 1;
}

WeightPlace weight_place(const ModelConfig& config, NameStyle style, Weight weight, uint32_t layer,
                         uint32_t expert) {
  const bool is_expert = is_expert_part(weight) && config.layer(layer).has_experts;
  const Shape shape = shape_of(config, weight, is_expert);
  WeightPlace place{
      .name = with_numbers(name_in_file(config, style, weight, is_expert), layer, expert),
      .rows = std::max<uint64_t>(shape.rows, 1),
      .columns = shape.columns};
  if (shape.rows == 0) {
    place.stored_shape = {shape.columns};
  } else if (is_expert && style == NameStyle::kGguf) {
    place.stored_shape = {config.experts, shape.rows, shape.columns};
    place.first_row = expert * shape.rows;
  } else if (!is_expert && family_of(config.architecture).is_fused && fused_name(style, weight)) {
    uint64_t whole = 0;
    for (const Weight part : fused_with(weight)) {
      if (part == weight) place.first_row = whole;
      whole += shape_of(config, part, false).rows;
    }
    place.stored_shape = {whole, shape.columns};
  } else {
    place.stored_shape = {shape.rows, shape.columns};
  }
  return place;
}

}  // namespace ovenbird
