// ModelConfig from GGUF metadata: `ARCHITECTURE.key` for the model's numbers.
#include "checkpoint/gguf_model.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "base/message_text.h"
#include "checkpoint/check_config.h"
#include "checkpoint/family.h"
#include "checkpoint/weight_table.h"

namespace ovenbird {
namespace {

const StoredTensor* find_tensor(const GgufFile& file, std::string_view name) {
  for (const StoredTensor& tensor : file.tensors) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

/// Refuses what would change the numbers and is not built: by the metadata that asks for it.
void refuse_extras(GgufMetadata& metadata, const std::string& prefix, const ModelConfig& config) {
  const auto refuse = [&](const std::string& what) {
    metadata.refuse(Code::kUnsupported, "the model has " + what + ", which is not supported");
  };
  if (metadata.count(prefix + "expert_count").value_or(0) > 0) refuse("experts (MoE)");
  if (const auto window = metadata.count(prefix + "attention.sliding_window");
      window.value_or(0) > 0 && *window < config.context) {
    refuse("a sliding window of " + std::to_string(*window) + " tokens, less than its context of " +
           std::to_string(config.context));
  }
  for (const char* key :
       {"attn_logit_softcapping", "final_logit_softcapping", "logit_scale", "embedding_scale",
        "residual_scale", "attention.scale", "attention.clamp_kqv", "attention.max_alibi_bias"}) {
    if (metadata.number(prefix + key).value_or(0) != 0) refuse(key);
  }
  if (!metadata.flag(prefix + "attention.causal").value_or(true)) {
    refuse("attention that is not causal");
  }
}

void read_heads(GgufMetadata& metadata, const std::string& prefix, ModelConfig& config) {
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
  config.rotary_dim = config.head_dim;
  const auto rotated = metadata.count(prefix + "rope.dimension_count").value_or(config.head_dim);
  if (rotated == config.head_dim) return;
  if (rotated > config.head_dim || rotated % 2 != 0) {
    metadata.refuse(Code::kCorrupt, "rope.dimension_count is " + std::to_string(rotated) +
                                        ", a head has " + std::to_string(config.head_dim));
  }
  metadata.refuse(Code::kUnsupported, "only " + std::to_string(rotated) + " of " +
                                          std::to_string(config.head_dim) +
                                          " head dimensions are rotated: not supported");
}

void read_counts(GgufMetadata& metadata, const std::string& prefix, ModelConfig& config) {
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
  read_heads(metadata, prefix, config);
}

void read_rope(GgufMetadata& metadata, const std::string& prefix, Rope& rope) {
  rope.theta = metadata.number(prefix + "rope.freq_base").value_or(rope.theta);
  // A file that names a factor but no type means linear scaling.
  const std::string type = metadata.text(prefix + "rope.scaling.type").value_or("linear");
  auto factor = metadata.number(prefix + "rope.scaling.factor");
  if (!factor) factor = metadata.number(prefix + "rope.scale_linear");
  if (type == "none") return;
  if (type != "linear") {
    metadata.refuse(Code::kUnsupported,
                    "rope scaling " + in_quotes(type) + "; supported are none, linear and llama3");
    return;
  }
  if (factor.value_or(0) == 0 || *factor == 1) return;  // 0 stands for "not scaled"
  rope.scaling = RopeScaling::kLinear;
  rope.factor = *factor;
}

/// llama3 scaling comes as a tensor of divisors.
Status read_divisors(const GgufFile& file, ModelConfig& config) {
  for (const char* name : {"rope_factors_long.weight", "rope_factors_short.weight"}) {
    if (find_tensor(file, name)) {
      return fail(Code::kUnsupported,
                  "rope scaling \"longrope\"; supported are none, linear and llama3");
    }
  }
  const StoredTensor* divisors = find_tensor(file, "rope_freqs.weight");
  if (!divisors) return ok();
  const uint64_t pairs = config.head_dim / 2;
  if (divisors->type != ElementType::kF32 || divisors->shape != std::vector<uint64_t>{pairs}) {
    return fail(Code::kCorrupt,
                "rope_freqs.weight is not a list of " + std::to_string(pairs) + " F32 divisors");
  }
  if (config.rope.scaling != RopeScaling::kNone) {
    return fail(Code::kUnsupported, "linear rope scaling and rope_freqs.weight at once");
  }
  config.rope.scaling = RopeScaling::kLlama3;
  config.rope.frequency_divisors.resize(pairs);
  dequantize(ElementType::kF32, divisors->bytes, config.rope.frequency_divisors);
  return ok();
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
  for (const char* text : {"<|im_end|>", "<|eot_id|>"}) {
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
  for (const Family& family : families()) {
    if (family.gguf && *name == family.gguf) return family.architecture;
  }
  return fail(Code::kUnsupported, "the architecture is " + in_quotes(*name) + "; " +
                                      architectures_supported(SourceKind::kGguf));
}

Result<ModelConfig> gguf_model_config(GgufFile& file, const GgufVocabulary& vocabulary) {
  GgufMetadata& metadata = file.metadata;
  const auto architecture = gguf_architecture(metadata);
  if (!architecture) return Failure{architecture.error()};
  ModelConfig config;
  config.architecture = *architecture;
  const std::string prefix = std::string(family_of(*architecture).gguf) + ".";
  read_counts(metadata, prefix, config);
  read_rope(metadata, prefix, config.rope);
  refuse_extras(metadata, prefix, config);
  if (metadata.fault()) return Failure{*metadata.fault()};

  // The embedding has a row for each token; that it does is checked with all other shapes.
  config.vocabulary = static_cast<uint32_t>(vocabulary.tokens.size());
  config.tied_head =
      find_tensor(file, weight_place(config, NameStyle::kGguf, Weight::kHead).name) == nullptr;
  config.query_key_norm = family_of(*architecture).query_key_norm;
  read_special_tokens(vocabulary, config);
  if (Status status = read_divisors(file, config); !status) return Failure{status.error()};
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
