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

Json rope_scaling(const ModelConfig& config) {
  if (config.rope.scaling == RopeScaling::kNone) return nullptr;
  if (config.rope.scaling == RopeScaling::kLinear) {
    return {{"rope_type", "linear"}, {"factor", config.rope.factor}};
  }
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
  if (config.architecture != Architecture::kLlama) json.erase("mlp_bias");
  if (config.architecture == Architecture::kQwen2) json.erase("attention_bias");  // always there
  return json.dump(2) + "\n";
}

std::string generation_config_json_of(const ModelConfig& config) {
  const Json json = {{"_from_model_config", true},
                     {"bos_token_id", ids_json(config.bos_ids)},
                     {"eos_token_id", ids_json(config.eos_ids)}};
  return json.dump(2) + "\n";
}

}  // namespace ovenbird
