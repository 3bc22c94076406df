// In what the layers of a model differ, as a GGUF says it: windows, unrotated layers, experts.
#include "checkpoint/gguf_layers.h"

#include "base/limits.h"
#include "checkpoint/layer_patterns.h"

namespace ovenbird {
namespace {

/// The layers that slide: a list of truth values, or all but every so many-th.
std::vector<bool> sliding_layers(GgufMetadata& metadata, const std::string& prefix,
                                 const Family& family, uint32_t layers) {
  if (family.sliding == SlidingLayers::kAll) return std::vector<bool>(layers, true);
  const std::string key = prefix + "attention.sliding_window_pattern";
  if (!metadata.is_list(key)) {
    return all_but_every(metadata.count(key).value_or(family.full_every), layers);
  }
  std::vector<bool> slides = metadata.flags(key);
  if (slides.size() != layers) {
    metadata.refuse(Code::kCorrupt, key + " has " + std::to_string(slides.size()) +
                                        " entries for " + std::to_string(layers) + " layers");
    slides.resize(layers);
  }
  return slides;
}

void read_windows(GgufMetadata& metadata, const std::string& prefix, const Family& family,
                  ModelConfig& config) {
  const uint32_t window =
      metadata.count(prefix + "attention.sliding_window").value_or(family.gguf_window);
  if (window == 0) return;
  if (family.sliding == SlidingLayers::kAll || family.sliding == SlidingLayers::kPattern) {
    return set_windows(family, sliding_layers(metadata, prefix, family, config.layers), window,
                       config);
  }
  if (window >= config.context) return;
  metadata.refuse(Code::kUnsupported,
                  "the model has a sliding window of " + std::to_string(window) +
                      " tokens, less than its context of " + std::to_string(config.context) +
                      ", which is not supported for " + family.gguf);
}

/// What llama.cpp's models of these families take for granted about experts: softmax over all,
/// then the shares of the chosen ones made to sum to 1.
void refuse_other_experts(GgufMetadata& metadata, const std::string& prefix) {
  const auto refuse = [&](const std::string& what) {
    metadata.refuse(Code::kUnsupported, "the model has " + what + ", which is not supported");
  };
  constexpr uint32_t kSoftmax = 1;  // 0: not given
  if (metadata.count(prefix + "expert_gating_func").value_or(kSoftmax) > kSoftmax) {
    refuse("experts chosen by other shares than softmax (expert_gating_func)");
  }
  if (!metadata.flag(prefix + "expert_weights_norm").value_or(true)) {
    refuse("experts whose shares do not sum to 1 (expert_weights_norm)");
  }
  const double scale = metadata.number(prefix + "expert_weights_scale").value_or(1);
  if (scale != 0 && scale != 1) refuse("scaled shares of experts (expert_weights_scale)");
  if (metadata.count(prefix + "expert_group_count").value_or(0) > 1) {
    refuse("experts in groups (expert_group_count)");
  }
  for (const char* key : {"expert_shared_count", "expert_shared_feed_forward_length"}) {
    if (metadata.count(prefix + key).value_or(0) > 0) refuse("shared experts (MoE)");
  }
}

void read_experts(GgufMetadata& metadata, const std::string& prefix, const Family& family,
                  ModelConfig& config) {
  if (family.experts == ExpertNames::kNone) return;
  config.experts = metadata.required_count(prefix + "expert_count");
  config.experts_per_token = metadata.required_count(prefix + "expert_used_count");
  config.expert_intermediate = family.experts == ExpertNames::kQwen
                                   ? metadata.required_count(prefix + "expert_feed_forward_length")
                                   : config.intermediate;
  config.normalizes_experts = true;
  for (LayerFacts& layer : config.layer_facts) layer.has_experts = true;
  refuse_other_experts(metadata, prefix);
}

}  // namespace

void read_gguf_layers(GgufMetadata& metadata, const std::string& prefix, const Family& family,
                      ModelConfig& config) {
  if (config.layers > limits::kLayersMax) return;  // check_config() says so
  config.layer_facts.assign(config.layers, {});
  read_windows(metadata, prefix, family, config);
  if (family.unrotated_every != 0) {
    set_unrotated(all_but_every(family.unrotated_every, config.layers), config);
  }
  read_experts(metadata, prefix, family, config);
}

}  // namespace ovenbird
