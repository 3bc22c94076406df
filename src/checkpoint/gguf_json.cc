// config.json and generation_config.json for a GGUF, as transformers would write them.
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "checkpoint/family.h"
#include "checkpoint/gguf_model.h"

namespace ovenbird {
namespace {

using Json = nlohmann::json;

/// The shortest decimal that is this float: 1e-05, not 9.999999747378752e-06.
double shortest(float value) {
  std::array<char, 32> text;
  const auto written = std::to_chars(text.data(), text.data() + text.size(), value);
  double wide = value;
  std::from_chars(text.data(), written.ptr, wide);
  return wide;
}

/// The rule behind ready divisors, if it is llama3's with the usual bounds 1 and 4.
std::optional<Rope> rule_behind(const ModelConfig& config) {
  ModelConfig guess = config;
  guess.rope.frequency_divisors.clear();
  guess.rope.factor = 1;
  for (const float divisor : config.rope.frequency_divisors) {
    guess.rope.factor = std::max(guess.rope.factor, shortest(divisor));
  }
  const std::vector<double> wanted = rope_frequencies(config.rope, config.rotary_dim);
  for (uint32_t context = 32; context <= config.context; context *= 2) {
    guess.rope.original_context = context;
    const std::vector<double> seen = rope_frequencies(guess.rope, guess.rotary_dim);
    bool is_same = true;
    for (size_t pair = 0; pair < wanted.size(); ++pair) {
      is_same = is_same && std::abs(seen[pair] - wanted[pair]) <= 1e-4 * wanted[pair];
    }
    if (is_same) return guess.rope;
  }
  return std::nullopt;
}

Json yarn_json(const Rope& rope) {
  return {{"rope_type", "yarn"},
          {"factor", rope.factor},
          {"original_max_position_embeddings", rope.original_context},
          {"beta_fast", rope.beta_fast},
          {"beta_slow", rope.beta_slow},
          {"attention_factor", rope.attention_factor}};
}

Json numbers_json(const std::vector<float>& numbers) {
  Json list = Json::array();
  for (const float number : numbers) list.push_back(shortest(number));
  return list;
}

Json longrope_json(const Rope& rope) {
  return {{"rope_type", "longrope"},
          {"short_factor", numbers_json(rope.short_divisors)},
          {"long_factor", numbers_json(rope.long_divisors)},
          {"original_max_position_embeddings", rope.original_context},
          {"attention_factor", rope.attention_factor}};
}

Json llama3_json(const ModelConfig& config) {
  const std::optional<Rope> rule = rule_behind(config);
  if (!rule) {
    // Not a rule that transformers knows: the bare divisors, so that no reader takes them for one.
    return {{"rope_type", "divisors"}, {"divisors", config.rope.frequency_divisors}};
  }
  return {{"rope_type", "llama3"},
          {"factor", rule->factor},
          {"low_freq_factor", rule->low_freq_factor},
          {"high_freq_factor", rule->high_freq_factor},
          {"original_max_position_embeddings", rule->original_context}};
}

Json rope_scaling(const ModelConfig& config) {
  switch (config.rope.scaling) {
    case RopeScaling::kNone:
      return nullptr;
    case RopeScaling::kLinear:
      return {{"rope_type", "linear"}, {"factor", config.rope.factor}};
    case RopeScaling::kLlama3:
      return llama3_json(config);
    case RopeScaling::kYarn:
      return yarn_json(config.rope);
    case RopeScaling::kLongRope:
      return longrope_json(config.rope);
  }
  return nullptr;
}

/// The numbers that a family multiplies by on the way, and its soft caps.
void add_scales(const Family& family, const ModelConfig& config, Json& json) {
  const auto cap = [](float value) { return value == 0 ? Json(nullptr) : Json(shortest(value)); };
  if (family.has_pre_attention_scalar) {
    const float scalar = 1 / (config.attention_scale * config.attention_scale);
    json["query_pre_attn_scalar"] = std::lround(scalar);  // an integer, transformers insists
    json["attn_logit_softcapping"] = cap(config.attention_soft_cap);
    json["final_logit_softcapping"] = cap(config.logit_soft_cap);
  }
  if (family.has_multipliers) {
    const float usual = 1 / std::sqrt(float(config.head_dim));
    json["attention_multiplier"] =
        shortest(config.attention_scale == 0 ? usual : config.attention_scale);
    json["embedding_multiplier"] = shortest(config.embedding_scale);
    json["residual_multiplier"] = shortest(config.residual_scale);
    json["logits_scaling"] = shortest(1 / config.logit_scale);
  }
}

/// In what the layers differ.
void add_layers(const Family& family, const ModelConfig& config, Json& json) {
  const bool is_windowed =
      family.sliding == SlidingLayers::kAll || family.sliding == SlidingLayers::kPattern;
  if (is_windowed) json["sliding_window"] = config.window == 0 ? Json() : Json(config.window);
  Json kinds = Json::array();
  Json rotates = Json::array();
  for (uint32_t layer = 0; layer < config.layers; ++layer) {
    const LayerFacts facts = config.layer(layer);
    const bool is_local = facts.slides || facts.rope == LayerRope::kLocal;
    kinds.push_back(is_local ? "sliding_attention" : "full_attention");
    rotates.push_back(facts.rope == LayerRope::kNone ? 0 : 1);
  }
  if (family.sliding == SlidingLayers::kPattern) json["layer_types"] = kinds;
  if (family.local_theta != 0) json["rope_local_base_freq"] = config.local_rope.theta;
  if (family.unrotated_every != 0) json["no_rope_layers"] = rotates;
}

void add_experts(const Family& family, const ModelConfig& config, Json& json) {
  if (family.experts == ExpertNames::kNone) return;
  const bool is_qwen = family.experts == ExpertNames::kQwen;
  json[is_qwen ? "num_experts" : "num_local_experts"] = config.experts;
  json["num_experts_per_tok"] = config.experts_per_token;
  if (!is_qwen) return;
  json["moe_intermediate_size"] = config.expert_intermediate;
  json["norm_topk_prob"] = config.normalizes_experts;
  json["mlp_only_layers"] = Json::array();
  json["decoder_sparse_step"] = 1;
}

/// What of a rope stands beside `rope_scaling`.
void add_rope(const ModelConfig& config, Json& json) {
  if (config.rotary_dim != config.head_dim) {
    json["partial_rotary_factor"] = double(config.rotary_dim) / config.head_dim;
  }
  if (config.rope.scaling == RopeScaling::kLongRope) {
    json["original_max_position_embeddings"] = config.rope.original_context;
  }
}

/// One id as a number, several as a list, none as null.
Json ids_json(const std::vector<int64_t>& ids) {
  if (ids.empty()) return nullptr;
  return ids.size() == 1 ? Json(ids.front()) : Json(ids);
}

}  // namespace

std::string config_json_of(const ModelConfig& config, const ConfigExtras& extras) {
  const Family& family = family_of(config.architecture);
  Json json = {
      {"architectures", Json::array({family.class_name})},
      {"model_type", family.model_type},
      {"hidden_size", config.hidden},
      {"intermediate_size", config.intermediate},
      {"num_hidden_layers", config.layers},
      {"num_attention_heads", config.heads},
      {"num_key_value_heads", config.kv_heads},
      {"head_dim", config.head_dim},
      {"vocab_size", config.vocabulary},
      {"max_position_embeddings", config.context},
      {"rms_norm_eps", shortest(config.rms_epsilon)},
      {"rope_theta", config.rope.theta},
      {"rope_scaling", rope_scaling(config)},
      {"hidden_act", "silu"},
      {"tie_word_embeddings", config.tied_head},
      {"attention_bias", extras.attention_bias},
      {"mlp_bias", extras.mlp_bias},
      {"torch_dtype", extras.dtype},
      {"use_cache", true},
      {"bos_token_id", ids_json(config.bos_ids)},
      {"eos_token_id", ids_json(config.eos_ids)},
  };
  if (!family.has_mlp_bias) json.erase("mlp_bias");
  if (family.biases != Biases::kByKey) json.erase("attention_bias");  // always or never there
  if (family.activation == Activation::kGeluTanh) {
    json["hidden_act"] = json["hidden_activation"] = "gelu_pytorch_tanh";
  }
  add_scales(family, config, json);
  add_layers(family, config, json);
  add_experts(family, config, json);
  add_rope(config, json);
  return json.dump(2) + "\n";
}

std::string generation_config_json_of(const ModelConfig& config) {
  const Json json = {{"_from_model_config", true},
                     {"bos_token_id", ids_json(config.bos_ids)},
                     {"eos_token_id", ids_json(config.eos_ids)}};
  return json.dump(2) + "\n";
}

}  // namespace ovenbird
