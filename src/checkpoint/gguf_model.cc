// ModelConfig from GGUF metadata: `ARCHITECTURE.key` for the model's numbers.
#include "checkpoint/gguf_model.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <vector>

#include "base/message_text.h"
#include "checkpoint/check_config.h"
#include "checkpoint/family.h"
#include "checkpoint/gguf_layers.h"
#include "checkpoint/gguf_rope.h"
#include "checkpoint/weight_table.h"

namespace ovenbird {
namespace {

/// Refuses what would change the numbers and is not built: by the metadata that asks for it.
void refuse_extras(GgufMetadata& metadata, const std::string& prefix, const Family& family) {
  const auto refuse = [&](const std::string& what) {
    metadata.refuse(Code::kUnsupported,
                    "the model has " + what + ", which is not supported for " + family.gguf);
  };
  const auto refuse_numbers = [&](std::initializer_list<const char*> keys) {
    for (const char* key : keys) {
      if (metadata.number(prefix + key).value_or(0) != 0) refuse(key);
    }
  };
  refuse_numbers({"attention.clamp_kqv", "attention.max_alibi_bias"});
  if (!family.has_pre_attention_scalar) {
    refuse_numbers({"attn_logit_softcapping", "final_logit_softcapping"});
  }
  if (!family.has_multipliers) {
    refuse_numbers({"logit_scale", "embedding_scale", "residual_scale", "attention.scale"});
  }
  if (!metadata.flag(prefix + "attention.causal").value_or(true)) {
    refuse("attention that is not causal");
  }
  // How a Granite says that none of its layers knows positions.
  if (family.has_multipliers && !metadata.flag(prefix + "rope.scaling.finetuned").value_or(true)) {
    refuse("no rope (rope.scaling.finetuned)");
  }
}

void read_heads(GgufMetadata& metadata, const std::string& prefix, const Family& family,
                ModelConfig& config) {
  if (const auto length = metadata.count(prefix + "attention.key_length")) {
    config.head_dim = *length;
  } else if (config.heads != 0) {
    if (config.hidden % config.heads != 0) {
      metadata.refuse(Code::kCorrupt, std::to_string(config.heads) +
                                          " heads do not divide the hidden size " +
                                          std::to_string(config.hidden));
    }
    config.head_dim = config.hidden / config.heads;
  }
  const auto value_length = metadata.count(prefix + "attention.value_length");
  if (value_length.value_or(config.head_dim) != config.head_dim) {
    metadata.refuse(Code::kUnsupported, "heads whose keys and values differ in size");
  }
  config.rotary_dim = metadata.count(prefix + "rope.dimension_count").value_or(config.head_dim);
  if (config.rotary_dim == config.head_dim) return;
  if (config.rotary_dim > config.head_dim || config.rotary_dim % 2 != 0) {
    metadata.refuse(Code::kCorrupt, "rope.dimension_count is " + std::to_string(config.rotary_dim) +
                                        ", a head has " + std::to_string(config.head_dim));
  }
  if (family.has_partial_rotary) return;
  metadata.refuse(Code::kUnsupported, "only " + std::to_string(config.rotary_dim) + " of " +
                                          std::to_string(config.head_dim) +
                                          " head dimensions are rotated: not supported");
}

void read_counts(GgufMetadata& metadata, const std::string& prefix, const Family& family,
                 ModelConfig& config) {
  config.layers = metadata.required_count(prefix + "block_count");
  config.hidden = metadata.required_count(prefix + "embedding_length");
  config.intermediate = metadata.required_count(prefix + "feed_forward_length");
  config.heads = metadata.required_count(prefix + "attention.head_count");
  config.context = metadata.required_count(prefix + "context_length");
  config.kv_heads = metadata.count(prefix + "attention.head_count_kv").value_or(config.heads);
  config.rms_epsilon =
      rms_epsilon_of(metadata.number(prefix + "attention.layer_norm_rms_epsilon").value_or(0));
  if (!metadata.has(prefix + "attention.layer_norm_rms_epsilon")) {
    metadata.refuse(Code::kCorrupt, prefix + "attention.layer_norm_rms_epsilon is missing");
  }
  read_heads(metadata, prefix, family, config);
}

/// The numbers that a family multiplies by on the way, and its soft caps.
void read_scales(GgufMetadata& metadata, const std::string& prefix, const Family& family,
                 ModelConfig& config) {
  const auto number = [&](const char* key, double without_key) {
    return static_cast<float>(metadata.number(prefix + key).value_or(without_key));
  };
  if (family.scales_embedding) config.embedding_scale = std::sqrt(float(config.hidden));
  if (family.has_pre_attention_scalar) {
    const bool is_by_width = config.layers == family.layers_scaled_by_width && config.heads != 0;
    config.attention_scale =
        1 / std::sqrt(float(is_by_width ? config.hidden / config.heads : config.head_dim));
    config.attention_soft_cap = number("attn_logit_softcapping", family.attention_soft_cap);
    config.logit_soft_cap = number("final_logit_softcapping", family.logit_soft_cap);
  }
  if (family.has_multipliers) {
    if (!metadata.has(prefix + "logit_scale")) {
      metadata.refuse(Code::kCorrupt,
                      "metadata " + in_quotes(prefix + "logit_scale") + " is missing");
    }
    config.attention_scale = number("attention.scale", 0);
    config.embedding_scale = number("embedding_scale", 1);
    config.residual_scale = number("residual_scale", 1);
    config.logit_scale = 1 / number("logit_scale", 1);  // config.json's word: a divisor
  }
}

void read_graph_facts(const Family& family, ModelConfig& config) {
  config.norms = family.norms;
  config.query_key_norm = family.query_key_norm;
  config.activation = family.activation;
}

/// The tokens that end an answer: the file's own, and the end of a turn that its chat template
/// uses, for older files that name only the end of a document.
void read_special_tokens(const GgufVocabulary& vocabulary, ModelConfig& config) {
  const auto add = [&](std::vector<int64_t>& ids, std::optional<int64_t> id) {
    if (!id || *id < 0 || *id >= config.vocabulary) return;  // can never be produced
    if (std::find(ids.begin(), ids.end(), *id) == ids.end()) ids.push_back(*id);
  };
  add(config.bos_ids, vocabulary.bos_id);
  add(config.eos_ids, vocabulary.eos_id);
  add(config.eos_ids, vocabulary.eot_id);
  add(config.eos_ids, vocabulary.eom_id);
  if (vocabulary.eot_id) return;
  constexpr int32_t kControl = 3;
  for (const char* text : {"<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>"}) {
    if (vocabulary.chat_template.find(text) == std::string::npos) continue;
    const auto token = std::find(vocabulary.tokens.begin(), vocabulary.tokens.end(), text);
    const auto id = static_cast<size_t>(token - vocabulary.tokens.begin());
    if (id >= vocabulary.types.size() || vocabulary.types[id] != kControl) continue;
    add(config.eos_ids, static_cast<int64_t>(id));
  }
}

/// What a GGUF has of the optional weights shows in its first layer; the others must agree.
WeightSet weights_of(const GgufFile& file, const ModelConfig& config) {
  WeightSet wanted = plain_weights(config);
  for (const Weight bias :
       {Weight::kQueryBias, Weight::kKeyBias, Weight::kValueBias, Weight::kOutputBias,
        Weight::kGateBias, Weight::kUpBias, Weight::kDownBias}) {
    const std::string name = weight_place(config, NameStyle::kGguf, bias).name;
    wanted[static_cast<size_t>(bias)] = find_tensor(file, name) != nullptr;
  }
  return wanted;
}

/// "GGUF v3, SmolLM2 135M Instruct"
std::string title_of(GgufFile& file) {
  std::string title = "GGUF v" + std::to_string(file.version);
  if (const auto name = file.metadata.text("general.name")) title += ", " + printable(*name);
  return title;
}

}  // namespace

Result<Architecture> gguf_architecture(GgufMetadata& metadata) {
  const auto name = metadata.text("general.architecture");
  if (metadata.fault()) return Failure{*metadata.fault()};
  if (!name) return fail(Code::kCorrupt, "metadata \"general.architecture\" is missing");
  std::vector<const Family*> named;  // one without experts, one with
  for (const Family& family : families()) {
    if (family.gguf && *name == family.gguf) named.push_back(&family);
  }
  if (named.empty()) {
    return fail(Code::kUnsupported, "the architecture is " + in_quotes(*name) + "; " +
                                        architectures_supported(SourceKind::kGguf));
  }
  const std::string key = *name + ".expert_count";
  const bool has_experts = metadata.count(key).value_or(0) > 0;
  if (metadata.fault()) return Failure{*metadata.fault()};
  for (const Family* family : named) {
    if ((family->experts != ExpertNames::kNone) == has_experts) return family->architecture;
  }
  if (!has_experts) return fail(Code::kCorrupt, "metadata " + in_quotes(key) + " is missing or 0");
  return fail(Code::kUnsupported,
              "the model has experts (MoE), which is not supported for " + *name);
}

Result<ModelConfig> gguf_model_config(GgufFile& file, const GgufVocabulary& vocabulary) {
  GgufMetadata& metadata = file.metadata;
  const auto architecture = gguf_architecture(metadata);
  if (!architecture) return Failure{architecture.error()};
  ModelConfig config;
  config.architecture = *architecture;
  const Family& family = family_of(*architecture);
  const std::string prefix = std::string(family.gguf) + ".";
  read_graph_facts(family, config);
  read_counts(metadata, prefix, family, config);
  if (metadata.fault()) return Failure{*metadata.fault()};
  read_scales(metadata, prefix, family, config);
  read_gguf_ropes(file, prefix, family, config);
  read_gguf_layers(metadata, prefix, family, config);
  refuse_extras(metadata, prefix, family);
  if (metadata.fault()) return Failure{*metadata.fault()};

  // The embedding has a row for each token; that it does is checked with all other shapes.
  config.vocabulary = static_cast<uint32_t>(vocabulary.tokens.size());
  config.tied_head =
      find_tensor(file, weight_place(config, NameStyle::kGguf, Weight::kHead).name) == nullptr;
  read_special_tokens(vocabulary, config);
  if (Status status = check_config(config); !status) return Failure{status.error()};
  return config;
}

Result<GgufModel> read_gguf_model(std::span<const std::byte> bytes) {
  auto file = read_gguf(bytes);
  if (!file) return Failure{file.error()};
  // First, so that a model of another kind is refused as such, not for its tokenizer.
  const auto architecture = gguf_architecture(file->metadata);
  if (!architecture) return Failure{architecture.error()};
  auto vocabulary = gguf_vocabulary(file->metadata);
  if (!vocabulary) return Failure{vocabulary.error()};
  auto config = gguf_model_config(*file, *vocabulary);
  if (!config) return Failure{config.error()};
  std::string title = title_of(*file);
  if (file->metadata.fault()) return Failure{*file->metadata.fault()};
  const WeightSet wanted = weights_of(*file, *config);
  auto weights = WeightTable::bind(*config, wanted, NameStyle::kGguf, std::move(file->tensors));
  if (!weights) return Failure{weights.error()};
  return GgufModel{std::move(title), *std::move(config), *std::move(vocabulary),
                   *std::move(weights)};
}

}  // namespace ovenbird
