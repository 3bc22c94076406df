// ModelConfig from config.json: what is read, what is assumed when missing, what is refused.
#include "checkpoint/hugging_face_config.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "base/message_text.h"
#include "checkpoint/check_config.h"
#include "checkpoint/family.h"
#include "checkpoint/hugging_face_layers.h"
#include "checkpoint/hugging_face_rope.h"
#include "checkpoint/json_facts.h"
#include "checkpoint/special_tokens.h"

namespace ovenbird {
namespace {

/// `model_type` and `architectures` must agree; one of them may be missing.
const Family& read_family(JsonFacts& facts) {
  const auto type = facts.text("model_type");
  const auto classes = facts.texts("architectures");
  if (!type && classes.empty()) {
    facts.refuse(Code::kCorrupt, "config.json names no architecture (model_type, architectures)");
  }
  for (const Family& family : families()) {
    if (type && *type != family.model_type) continue;
    if (!classes.empty() && (classes.size() != 1 || classes.front() != family.class_name)) continue;
    return family;
  }
  facts.refuse(Code::kUnsupported, "the architecture is " +
                                       in_quotes(classes.empty() ? "" : classes.front()) +
                                       ", model_type " + in_quotes(type.value_or("")) + "; " +
                                       architectures_supported(SourceKind::kHuggingFace));
  return families().front();
}

void read_counts(JsonFacts& facts, const Family& family, ModelConfig& config) {
  config.hidden = facts.required_count("hidden_size");
  config.layers = facts.required_count("num_hidden_layers");
  config.heads = facts.required_count("num_attention_heads");
  config.intermediate = facts.required_count("intermediate_size");
  config.vocabulary = facts.required_count("vocab_size");
  config.context = facts.required_count("max_position_embeddings");
  config.kv_heads = facts.count("num_key_value_heads").value_or(config.heads);
  config.rms_epsilon = rms_epsilon_of(facts.number("rms_norm_eps").value_or(family.epsilon));
  config.tied_head = facts.flag("tie_word_embeddings").value_or(family.is_tied);
  const uint32_t shared = config.heads == 0 ? 0 : config.hidden / config.heads;
  const uint32_t without_key = family.head_dim == 0 ? shared : family.head_dim;
  config.head_dim = facts.count("head_dim").value_or(without_key);
}

/// The numbers that a family multiplies by on the way, and its soft caps.
void read_scales(JsonFacts& facts, const Family& family, ModelConfig& config) {
  const auto number = [&](const char* key, double without_key) {
    return static_cast<float>(facts.number(key).value_or(without_key));
  };
  if (family.scales_embedding) config.embedding_scale = std::sqrt(float(config.hidden));
  if (family.has_pre_attention_scalar) {
    const float scalar = number("query_pre_attn_scalar", 256);
    config.attention_scale = scalar > 0 ? 1 / std::sqrt(scalar) : -1;
  }
  if (family.has_multipliers) {
    config.embedding_scale = number("embedding_multiplier", 1);
    config.attention_scale = number("attention_multiplier", 1);
    config.residual_scale = number("residual_multiplier", 1);
    config.logit_scale = 1 / number("logits_scaling", 1);
  }
  const auto cap = [&](const char* key, double without_key) {
    return number(key, facts.names(key) ? 0 : without_key);  // null: no cap
  };
  config.attention_soft_cap = cap("attn_logit_softcapping", family.attention_soft_cap);
  config.logit_soft_cap = cap("final_logit_softcapping", family.logit_soft_cap);
}

void read_graph_facts(JsonFacts& facts, const Family& family, ModelConfig& config) {
  config.norms = family.norms;
  config.query_key_norm = family.query_key_norm;
  config.activation = family.activation;
  config.norm_offset = family.adds_one_to_norms ? 1.0f : 0.0f;
  read_scales(facts, family, config);
}

void refuse_unsupported(JsonFacts& facts, const std::string& what) {
  facts.refuse(Code::kUnsupported, "config.json: " + what + " is not supported");
}

void check_activation(JsonFacts& facts, const Family& family) {
  const bool is_gelu = family.activation == Activation::kGeluTanh;
  const char* wanted = is_gelu ? "gelu_pytorch_tanh" : "silu";
  const char* key = is_gelu ? "hidden_activation" : "hidden_act";  // Gemma's word is its own
  const std::string seen = facts.text(key).value_or(wanted);
  if (seen == wanted || (!is_gelu && seen == "swish")) return;
  refuse_unsupported(facts, "the activation " + in_quotes(seen) + " (supported: " + wanted + ")");
}

/// Refuses what would change the numbers and is not built.
void refuse_extras(JsonFacts& facts, const Family& family) {
  if (const nlohmann::json* scheme = facts.object("quantization_config")) {
    JsonFacts inner(*scheme, "config.json: quantization_config");
    refuse_unsupported(facts, "quantization_config (" +
                                  in_quotes(inner.text("quant_method").value_or("")) +
                                  "); give the unquantized checkpoint or a GGUF; this");
  }
  check_activation(facts, family);
  if (facts.flag("use_bidirectional_attention").value_or(false)) {
    refuse_unsupported(facts, "use_bidirectional_attention");
  }
  if (family.experts == ExpertNames::kNone) {
    for (const char* key : {"num_local_experts", "num_experts", "n_routed_experts"}) {
      if (facts.count(key).value_or(0) > 0) refuse_unsupported(facts, std::string(key) + " (MoE)");
    }
  }
  if (!family.has_multipliers) {
    for (const char* key : {"attention_multiplier", "embedding_multiplier", "residual_multiplier",
                            "logits_scaling"}) {
      if (facts.has(key)) refuse_unsupported(facts, key);
    }
  }
  if (!family.has_pre_attention_scalar) {
    for (const char* key :
         {"query_pre_attn_scalar", "attn_logit_softcapping", "final_logit_softcapping"}) {
      if (facts.has(key)) refuse_unsupported(facts, key);
    }
  }
}

WeightSet read_weights(JsonFacts& facts, const Family& family, const ModelConfig& config) {
  WeightSet weights = plain_weights(config);
  const auto set = [&](std::initializer_list<Weight> kinds, bool is_there) {
    for (const Weight kind : kinds) weights[static_cast<size_t>(kind)] = is_there;
  };
  if (family.biases == Biases::kNone) return weights;
  const bool always = family.biases == Biases::kQueryKeyValue;
  const bool named = facts.flag("attention_bias").value_or(false);
  set({Weight::kQueryBias, Weight::kKeyBias, Weight::kValueBias}, always || named);
  set({Weight::kOutputBias}, !always && named);
  if (family.has_mlp_bias) {
    set({Weight::kGateBias, Weight::kUpBias, Weight::kDownBias},
        facts.flag("mlp_bias").value_or(false));
  }
  return weights;
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
  const Family& family = read_family(facts);
  model.config.architecture = family.architecture;
  refuse_extras(facts, family);
  read_counts(facts, family, model.config);
  read_graph_facts(facts, family, model.config);
  read_ropes(facts, family, model.config);
  read_layer_facts(facts, family, model.config);
  model.weights = read_weights(facts, family, model.config);
  BosEosTokens tokens = read_special_tokens(facts, generation_facts, model.config.vocabulary);
  model.config.bos_ids = std::move(tokens.bos_ids);
  model.config.eos_ids = std::move(tokens.eos_ids);
  if (facts.fault()) return Failure{*facts.fault()};
  if (generation_facts.fault()) return Failure{*generation_facts.fault()};
  if (Status status = check_config(model.config); !status) {
    return fail_in("config.json", status.error());
  }
  return model;
}

}  // namespace ovenbird
