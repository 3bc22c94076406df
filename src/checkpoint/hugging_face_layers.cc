// In what the layers of a model differ, as config.json says it: windows, ropes, experts.
#include "checkpoint/hugging_face_layers.h"

#include <algorithm>
#include <string>

#include "base/limits.h"
#include "base/message_text.h"
#include "checkpoint/layer_patterns.h"

namespace ovenbird {
namespace {

void refuse_count(JsonFacts& facts, const char* key, size_t seen, uint32_t layers) {
  facts.refuse(Code::kCorrupt, std::string("config.json: ") + key + " has " + std::to_string(seen) +
                                   " entries for " + std::to_string(layers) + " layers");
}

/// `layer_types`, or what the family's pattern makes of the layers' numbers.
std::vector<bool> sliding_pattern(JsonFacts& facts, const Family& family, uint32_t layers) {
  std::vector<bool> slides(layers);
  const std::vector<std::string> kinds = facts.texts("layer_types");
  if (!kinds.empty() && kinds.size() != layers) {
    refuse_count(facts, "layer_types", kinds.size(), layers);
    return slides;
  }
  // "_sliding_window_pattern" is what some published Gemma 3 files call it.
  const char* period_key =
      facts.has("sliding_window_pattern") ? "sliding_window_pattern" : "_sliding_window_pattern";
  const uint32_t period =
      family.full_every == 0 ? 0 : facts.count(period_key).value_or(family.full_every);
  const uint32_t first = facts.count("max_window_layers").value_or(28);
  if (kinds.empty() && family.sliding == SlidingLayers::kPattern) {
    return all_but_every(period, layers);
  }
  for (uint32_t layer = 0; layer < layers; ++layer) {
    slides[layer] = kinds.empty() ? layer >= first : kinds[layer] == "sliding_attention";
    if (kinds.empty() || slides[layer] || kinds[layer] == "full_attention") continue;
    facts.refuse(Code::kUnsupported,
                 "config.json: the layer type " + in_quotes(kinds[layer]) + " is not supported");
  }
  return slides;
}

std::vector<bool> sliding_layers(JsonFacts& facts, const Family& family, uint32_t layers) {
  const bool is_used = facts.flag("use_sliding_window").value_or(false);
  switch (family.sliding) {
    case SlidingLayers::kNone:
      break;
    case SlidingLayers::kAll:
      return std::vector<bool>(layers, true);
    case SlidingLayers::kAllIfUsed:
      return std::vector<bool>(layers, is_used);
    case SlidingLayers::kIfUsed:
      if (is_used) return sliding_pattern(facts, family, layers);
      break;
    case SlidingLayers::kPattern:
      return sliding_pattern(facts, family, layers);
  }
  return std::vector<bool>(layers);
}

void read_windows(JsonFacts& facts, const Family& family, ModelConfig& config) {
  const std::vector<bool> slides = sliding_layers(facts, family, config.layers);
  if (std::find(slides.begin(), slides.end(), true) == slides.end()) return;
  const auto named = facts.count("sliding_window");
  const uint32_t without_key = facts.names("sliding_window") ? 0 : family.window;
  if (named == 0U) {
    facts.refuse(Code::kCorrupt, "config.json: sliding_window is 0, so no token would see another");
  }
  set_windows(family, slides, named.value_or(without_key), config);
}

void read_unrotated(JsonFacts& facts, const Family& family, ModelConfig& config) {
  if (family.unrotated_every == 0) return;
  const std::vector<int64_t> named = facts.ids("no_rope_layers");  // 1 = with rope
  if (!named.empty() && named.size() != config.layers) {
    return refuse_count(facts, "no_rope_layers", named.size(), config.layers);
  }
  const uint32_t period = facts.count("no_rope_layer_interval").value_or(family.unrotated_every);
  std::vector<bool> rotates = all_but_every(period, config.layers);
  for (size_t layer = 0; layer < named.size(); ++layer) rotates[layer] = named[layer] != 0;
  set_unrotated(rotates, config);
}

/// Qwen's experts may be in some layers only.
void leave_out_dense(JsonFacts& facts, std::vector<LayerFacts>& layers) {
  const uint32_t step = facts.count("decoder_sparse_step").value_or(1);
  for (uint32_t layer = 0; layer < layers.size(); ++layer) {
    layers[layer].has_experts = step != 0 && (layer + 1) % step == 0;
  }
  for (const int64_t dense : facts.ids("mlp_only_layers")) {
    if (dense >= 0 && static_cast<uint64_t>(dense) < layers.size()) {
      layers[static_cast<size_t>(dense)].has_experts = false;
    }
  }
}

/// Qwen publishes `num_experts`; transformers 5 saves the same model with Mixtral's word.
const char* experts_key(const JsonFacts& facts, bool is_qwen) {
  const bool has_qwens_word = facts.has("num_experts") || !facts.has("num_local_experts");
  return is_qwen && has_qwens_word ? "num_experts" : "num_local_experts";
}

void read_experts(JsonFacts& facts, const Family& family, ModelConfig& config) {
  if (family.experts == ExpertNames::kNone) return;
  const bool is_qwen = family.experts == ExpertNames::kQwen;
  config.experts = facts.required_count(experts_key(facts, is_qwen));
  config.experts_per_token = facts.required_count("num_experts_per_tok");
  config.expert_intermediate =
      is_qwen ? facts.required_count("moe_intermediate_size") : config.intermediate;
  config.normalizes_experts = !is_qwen || facts.flag("norm_topk_prob").value_or(false);
  for (LayerFacts& layer : config.layer_facts) layer.has_experts = true;
  if (is_qwen) leave_out_dense(facts, config.layer_facts);
}

}  // namespace

void read_layer_facts(JsonFacts& facts, const Family& family, ModelConfig& config) {
  if (config.layers > limits::kLayersMax) return;  // check_config() says so
  config.layer_facts.assign(config.layers, {});
  read_windows(facts, family, config);
  read_unrotated(facts, family, config);
  read_experts(facts, family, config);
}

}  // namespace ovenbird
