// The table of families. Defaults are those of transformers' configuration classes; what is said of
// GGUF files is what llama.cpp's converter writes into them and its models take for granted.
#include "checkpoint/family.h"

#include <algorithm>
#include <vector>

#include "base/check.h"

namespace ovenbird {
namespace {

constexpr Family kFamilies[] = {
    {.architecture = Architecture::kLlama,
     .model_type = "llama",
     .class_name = "LlamaForCausalLM",
     .gguf = "llama",
     .biases = Biases::kByKey,
     .has_mlp_bias = true,
     .is_interleaved_in_gguf = true},
    // In a GGUF it is a llama: the two differ in nothing that such a file can say.
    {.architecture = Architecture::kMistral,
     .model_type = "mistral",
     .class_name = "MistralForCausalLM",
     .gguf = nullptr,
     .sliding = SlidingLayers::kAll,
     .window = 4096},
    {.architecture = Architecture::kMixtral,
     .model_type = "mixtral",
     .class_name = "MixtralForCausalLM",
     .gguf = "llama",
     .experts = ExpertNames::kMixtral,
     .is_interleaved_in_gguf = true,
     .epsilon = 1e-5,
     .theta = 1e6,
     .sliding = SlidingLayers::kAll},
    {.architecture = Architecture::kQwen2,
     .model_type = "qwen2",
     .class_name = "Qwen2ForCausalLM",
     .gguf = "qwen2",
     .biases = Biases::kQueryKeyValue,
     .sliding = SlidingLayers::kIfUsed,
     .window = 4096},
    {.architecture = Architecture::kQwen3,
     .model_type = "qwen3",
     .class_name = "Qwen3ForCausalLM",
     .gguf = "qwen3",
     .query_key_norm = QueryKeyNorm::kEachHead,
     .biases = Biases::kByKey,
     .head_dim = 128,
     .sliding = SlidingLayers::kIfUsed,
     .window = 4096},
    {.architecture = Architecture::kQwen3Moe,
     .model_type = "qwen3_moe",
     .class_name = "Qwen3MoeForCausalLM",
     .gguf = "qwen3moe",
     .query_key_norm = QueryKeyNorm::kEachHead,
     .biases = Biases::kByKey,
     .experts = ExpertNames::kQwen,
     .sliding = SlidingLayers::kAllIfUsed,
     .window = 4096},
    {.architecture = Architecture::kPhi3,
     .model_type = "phi3",
     .class_name = "Phi3ForCausalLM",
     .gguf = "phi3",
     .is_fused = true,
     .epsilon = 1e-5,
     .sliding = SlidingLayers::kAll,
     .has_partial_rotary = true},
    {.architecture = Architecture::kGemma2,
     .model_type = "gemma2",
     .class_name = "Gemma2ForCausalLM",
     .gguf = "gemma2",
     .norms = NormPlacement::kBoth,
     .activation = Activation::kGeluTanh,
     .adds_one_to_norms = true,
     .scales_embedding = true,
     .has_pre_attention_scalar = true,
     .biases = Biases::kByKey,
     .head_dim = 256,
     .is_tied = true,
     .sliding = SlidingLayers::kPattern,
     .window = 4096,
     .full_every = 2,
     .attention_soft_cap = 50.0,
     .logit_soft_cap = 30.0,
     .gguf_window = 4096,
     .layers_scaled_by_width = 46},
    {.architecture = Architecture::kGemma3,
     .model_type = "gemma3_text",
     .class_name = "Gemma3ForCausalLM",
     .gguf = "gemma3",
     .norms = NormPlacement::kBoth,
     .query_key_norm = QueryKeyNorm::kEachHead,
     .activation = Activation::kGeluTanh,
     .adds_one_to_norms = true,
     .scales_embedding = true,
     .has_pre_attention_scalar = true,
     .biases = Biases::kByKey,
     .theta = 1e6,
     .local_theta = 10000.0,
     .head_dim = 256,
     .is_tied = true,
     .sliding = SlidingLayers::kPattern,
     .window = 4096,
     .full_every = 6,
     .layers_scaled_by_width = 62},
    {.architecture = Architecture::kSmolLm3,
     .model_type = "smollm3",
     .class_name = "SmolLM3ForCausalLM",
     .gguf = "smollm3",
     .biases = Biases::kByKey,
     .has_mlp_bias = true,
     .is_interleaved_in_gguf = true,
     .theta = 2e6,
     .is_tied = true,
     .sliding = SlidingLayers::kIfUsed,
     .unrotated_every = 4},
    {.architecture = Architecture::kGranite,
     .model_type = "granite",
     .class_name = "GraniteForCausalLM",
     .gguf = "granite",
     .has_multipliers = true,
     .biases = Biases::kByKey,
     .has_mlp_bias = true,
     .is_interleaved_in_gguf = true},
    {.architecture = Architecture::kOlmo2,
     .model_type = "olmo2",
     .class_name = "Olmo2ForCausalLM",
     .gguf = "olmo2",
     .norms = NormPlacement::kAfter,
     .query_key_norm = QueryKeyNorm::kAllHeads,
     .biases = Biases::kByKey,
     .epsilon = 1e-5},
};

}  // namespace

std::span<const Family> families() { return kFamilies; }

const Family& family_of(Architecture architecture) {
  const auto found =
      std::find_if(std::begin(kFamilies), std::end(kFamilies),
                   [&](const Family& family) { return family.architecture == architecture; });
  OVENBIRD_CHECK(found != std::end(kFamilies));
  return *found;
}

const char* name_of(Architecture architecture) { return family_of(architecture).model_type; }

std::string architectures_supported(SourceKind kind) {
  std::vector<std::string_view> names;
  for (const Family& family : kFamilies) {
    const char* name = kind == SourceKind::kGguf ? family.gguf : family.model_type;
    if (name) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::string out = "supported are ";
  for (size_t index = 0; index < names.size(); ++index) {
    if (index > 0) out += index + 1 == names.size() ? " and " : ", ";
    out += names[index];
  }
  return out;
}

}  // namespace ovenbird
