// ModelConfig from config.json: what is read, what is assumed when missing, what is refused.
#include "checkpoint/hugging_face_config.h"

#include <algorithm>
#include <string>

#include "base/message_text.h"
#include "checkpoint/check_config.h"
#include "checkpoint/hugging_face_rope.h"
#include "checkpoint/json_facts.h"

namespace ovenbird {
namespace {

struct KnownArchitecture {
  Architecture architecture;
  const char* class_name;
};

constexpr KnownArchitecture kKnown[] = {
    {Architecture::kLlama, "LlamaForCausalLM"},
    {Architecture::kMistral, "MistralForCausalLM"},
    {Architecture::kQwen2, "Qwen2ForCausalLM"},
    {Architecture::kQwen3, "Qwen3ForCausalLM"},
};

/// `model_type` and `architectures` must agree; one of them may be missing.
Architecture read_architecture(JsonFacts& facts) {
  const auto type = facts.text("model_type");
  const auto classes = facts.texts("architectures");
  if (!type && classes.empty()) {
    facts.refuse(Code::kCorrupt, "config.json names no architecture (model_type, architectures)");
  }
  for (const KnownArchitecture& known : kKnown) {
    if (type && *type != name_of(known.architecture)) continue;
    if (!classes.empty() && (classes.size() != 1 || classes.front() != known.class_name)) continue;
    return known.architecture;
  }
  facts.refuse(Code::kUnsupported,
               "the architecture is " + in_quotes(classes.empty() ? "" : classes.front()) +
                   ", model_type " + in_quotes(type.value_or("")) + "; " + kArchitecturesSupported);
  return Architecture::kLlama;
}

void read_counts(JsonFacts& facts, ModelConfig& config) {
  config.hidden = facts.required_count("hidden_size");
  config.layers = facts.required_count("num_hidden_layers");
  config.heads = facts.required_count("num_attention_heads");
  config.intermediate = facts.required_count("intermediate_size");
  config.vocabulary = facts.required_count("vocab_size");
  config.context = facts.required_count("max_position_embeddings");
  config.kv_heads = facts.count("num_key_value_heads").value_or(config.heads);
  config.rms_epsilon = rms_epsilon_of(facts.number("rms_norm_eps").value_or(1e-6));
  config.tied_head = facts.flag("tie_word_embeddings").value_or(false);
  config.qk_norm = config.architecture == Architecture::kQwen3;
  if (const auto head_dim = facts.count("head_dim")) {
    config.head_dim = *head_dim;
  } else if (config.architecture == Architecture::kQwen3) {
    config.head_dim = 128;
  } else if (config.heads != 0) {
    config.head_dim = config.hidden / config.heads;
  }
}

void refuse_unsupported(JsonFacts& facts, const std::string& what) {
  facts.refuse(Code::kUnsupported, "config.json: " + what + " is not supported");
}

/// The window of layers that see only the newest tokens; nothing if all see everything.
std::optional<uint32_t> sliding_window(JsonFacts& facts, const ModelConfig& config,
                                       bool has_window_key) {
  constexpr uint32_t kDefault = 4096;  // of these three families, when the key is missing
  const auto named = facts.count("sliding_window");
  const auto window = has_window_key ? named : std::optional(kDefault);
  if (config.architecture == Architecture::kLlama) return std::nullopt;
  if (config.architecture == Architecture::kMistral) return window;
  if (!facts.flag("use_sliding_window").value_or(false)) return std::nullopt;
  const auto kinds = facts.texts("layer_types");
  if (!kinds.empty()) {
    const bool slides = std::find(kinds.begin(), kinds.end(), "sliding_attention") != kinds.end();
    return slides ? window : std::nullopt;
  }
  return facts.count("max_window_layers").value_or(28) < config.layers ? window : std::nullopt;
}

void check_attention(JsonFacts& facts, const ModelConfig& config, bool has_window_key) {
  const auto window = sliding_window(facts, config, has_window_key);
  if (window == 0U) {
    facts.refuse(Code::kCorrupt, "config.json: sliding_window is 0, so no token would see another");
  } else if (window && *window < config.context) {
    refuse_unsupported(facts, "a sliding_window of " + std::to_string(*window) +
                                  " tokens, less than max_position_embeddings " +
                                  std::to_string(config.context) + ",");
  }
  for (const std::string& kind : facts.texts("layer_types")) {
    if (kind != "full_attention" && kind != "sliding_attention") {
      refuse_unsupported(facts, "the layer type " + in_quotes(kind));
    }
  }
}

/// Refuses what would change the numbers and is not built.
void refuse_extras(JsonFacts& facts) {
  if (const nlohmann::json* scheme = facts.object("quantization_config")) {
    JsonFacts inner(*scheme, "config.json: quantization_config");
    refuse_unsupported(facts, "quantization_config (" +
                                  in_quotes(inner.text("quant_method").value_or("")) +
                                  "); give the unquantized checkpoint or a GGUF; this");
  }
  const std::string activation = facts.text("hidden_act").value_or("silu");
  if (activation != "silu" && activation != "swish") {
    refuse_unsupported(facts, "the activation " + in_quotes(activation) + " (supported: silu)");
  }
  for (const char* key : {"num_local_experts", "num_experts", "n_routed_experts"}) {
    if (facts.count(key).value_or(0) > 0) refuse_unsupported(facts, std::string(key) + " (MoE)");
  }
  for (const char* key :
       {"attn_logit_softcapping", "final_logit_softcapping", "attention_multiplier",
        "embedding_multiplier", "residual_multiplier", "logits_scaling", "query_pre_attn_scalar"}) {
    if (facts.has(key)) refuse_unsupported(facts, key);
  }
}

WeightSet read_weights(JsonFacts& facts, const ModelConfig& config) {
  WeightSet weights = plain_weights(config);
  const auto set = [&](std::initializer_list<Weight> kinds, bool is_there) {
    for (const Weight kind : kinds) weights[static_cast<size_t>(kind)] = is_there;
  };
  const bool attention_bias = facts.flag("attention_bias").value_or(false);
  const bool mlp_bias = facts.flag("mlp_bias").value_or(false);
  switch (config.architecture) {
    case Architecture::kLlama:
      set({Weight::kGateBias, Weight::kUpBias, Weight::kDownBias}, mlp_bias);
      [[fallthrough]];
    case Architecture::kQwen3:
      set({Weight::kQueryBias, Weight::kKeyBias, Weight::kValueBias, Weight::kOutputBias},
          attention_bias);
      break;
    case Architecture::kQwen2:
      set({Weight::kQueryBias, Weight::kKeyBias, Weight::kValueBias}, true);
      break;
    case Architecture::kMistral:
      break;
  }
  return weights;
}

/// Ids that the model cannot produce are left out: -1 stands for "none" in old files.
std::vector<int64_t> possible_ids(const std::vector<int64_t>& ids, uint32_t vocabulary) {
  std::vector<int64_t> out;
  for (const int64_t id : ids) {
    const bool is_new = std::find(out.begin(), out.end(), id) == out.end();
    if (id >= 0 && id < vocabulary && is_new) out.push_back(id);
  }
  return out;
}

void read_special_tokens(JsonFacts& facts, JsonFacts& generation, ModelConfig& config) {
  const auto ids = [&](const char* key) {
    JsonFacts& source = generation.has(key) ? generation : facts;
    return possible_ids(source.ids(key), config.vocabulary);
  };
  config.bos_ids = ids("bos_token_id");
  config.eos_ids = ids("eos_token_id");
}

}  // namespace

Result<HuggingFaceModel> hugging_face_model(const nlohmann::json& config,
                                            const nlohmann::json& generation) {
  JsonFacts facts(config, "config.json");
  const nlohmann::json nothing = nlohmann::json::object();
  JsonFacts generation_facts(generation.is_null() ? nothing : generation, "generation_config.json");
  if (facts.fault()) return Failure{*facts.fault()};
  if (generation_facts.fault()) return Failure{*generation_facts.fault()};

  HuggingFaceModel model;
  model.config.architecture = read_architecture(facts);
  refuse_extras(facts);
  read_counts(facts, model.config);
  model.config.rope = hugging_face_rope(facts, model.config.context);
  check_attention(facts, model.config, config.contains("sliding_window"));
  model.weights = read_weights(facts, model.config);
  read_special_tokens(facts, generation_facts, model.config);
  if (facts.fault()) return Failure{*facts.fault()};
  if (generation_facts.fault()) return Failure{*generation_facts.fault()};
  if (Status status = check_config(model.config); !status) {
    return fail_in("config.json", status.error());
  }
  return model;
}

}  // namespace ovenbird
