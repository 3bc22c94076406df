// What every ModelConfig must fulfil, and its rotation frequencies.
#include "checkpoint/model_config.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "checkpoint/check_config.h"

namespace ovenbird {
namespace {

struct Count {
  const char* name;
  uint64_t value;
  uint64_t max;
};

Failure out_of_range(const Count& count) {
  return fail(Code::kCorrupt, std::string(count.name) + " is " + std::to_string(count.value) +
                                  "; accepted: 1 to " + std::to_string(count.max));
}

Status check_counts(const ModelConfig& config) {
  const Count counts[] = {
      {"the number of layers", config.layers, limits::kLayersMax},
      {"the hidden size", config.hidden, limits::kHiddenMax},
      {"the number of heads", config.heads, limits::kHiddenMax},
      {"the number of key/value heads", config.kv_heads, config.heads},
      {"the head size", config.head_dim, limits::kHiddenMax},
      {"heads times head size", uint64_t{config.heads} * config.head_dim, limits::kHiddenMax},
      {"the intermediate size", config.intermediate, limits::kHiddenMax},
      {"the vocabulary size", config.vocabulary, limits::kVocabularyMax},
      {"the context length", config.context, limits::kContextMax},
  };
  for (const Count& count : counts) {
    if (count.value == 0 || count.value > count.max) return out_of_range(count);
  }
  return ok();
}

Status check_experts(const ModelConfig& config) {
  if (config.experts == 0) return ok();
  const Count counts[] = {
      {"the number of experts", config.experts, limits::kExpertsMax},
      {"the number of experts for each token", config.experts_per_token, config.experts},
      {"the experts' intermediate size", config.expert_intermediate, limits::kHiddenMax},
  };
  for (const Count& count : counts) {
    if (count.value == 0 || count.value > count.max) return out_of_range(count);
  }
  return ok();
}

/// Scales and caps: numbers that leave logits finite.
Status check_scales(const ModelConfig& config) {
  const std::pair<const char*, float> positive[] = {
      {"the attention's scale", config.attention_scale == 0 ? 1 : config.attention_scale},
      {"the embedding's scale", config.embedding_scale},
      {"the residual scale", config.residual_scale},
      {"the logits' scale", config.logit_scale},
      {"the attention's soft cap", config.attention_soft_cap == 0 ? 1 : config.attention_soft_cap},
      {"the logits' soft cap", config.logit_soft_cap == 0 ? 1 : config.logit_soft_cap},
  };
  for (const auto& [name, value] : positive) {
    if (std::isfinite(value) && value > 0) continue;
    return fail(Code::kCorrupt, std::string(name) + " must be a number greater than 0");
  }
  return ok();
}

Status check_heads(const ModelConfig& config) {
  if (config.heads % config.kv_heads != 0) {
    return fail(Code::kCorrupt, std::to_string(config.heads) + " heads cannot share " +
                                    std::to_string(config.kv_heads) +
                                    " key/value heads: not a multiple");
  }
  if (config.head_dim % 2 != 0) {
    return fail(Code::kCorrupt, "the head size is " + std::to_string(config.head_dim) +
                                    "; rotation needs an even one");
  }
  if (config.rotary_dim % 2 != 0 || config.rotary_dim == 0 || config.rotary_dim > config.head_dim) {
    return fail(Code::kCorrupt, std::to_string(config.rotary_dim) + " of a head's " +
                                    std::to_string(config.head_dim) +
                                    " numbers are rotated; it must be an even number of them");
  }
  return ok();
}

constexpr double kFrequencyMax = 1000;  // radians a position; models have at most 1

bool is_positive(double value) { return std::isfinite(value) && value > 0; }

Status check_original_context(const char* scaling, const Rope& rope) {
  if (rope.original_context > 0 && rope.original_context <= limits::kContextMax) return ok();
  return fail(Code::kCorrupt, std::string(scaling) +
                                  " rope scaling: original_max_position_embeddings is " +
                                  std::to_string(rope.original_context) + "; accepted: 1 to " +
                                  std::to_string(limits::kContextMax));
}

Status check_llama3(const Rope& rope) {
  const bool is_ordered = is_positive(rope.low_freq_factor) &&
                          std::isfinite(rope.high_freq_factor) &&
                          rope.high_freq_factor > rope.low_freq_factor;
  if (!is_ordered) {
    return fail(Code::kCorrupt,
                "llama3 rope scaling: high_freq_factor must be greater than low_freq_factor, and "
                "both than 0");
  }
  return check_original_context("llama3", rope);
}

Status check_yarn(const Rope& rope) {
  if (!is_positive(rope.beta_fast) || !is_positive(rope.beta_slow) || rope.theta <= 1) {
    return fail(Code::kCorrupt,
                "yarn rope scaling: beta_fast and beta_slow must be greater than 0, theta than 1");
  }
  return check_original_context("yarn", rope);
}

Status check_divisors(const std::vector<float>& divisors, uint32_t rotary_dim) {
  if (divisors.size() != rotary_dim / 2) {
    return fail(Code::kCorrupt, "rope divisors: " + std::to_string(divisors.size()) +
                                    " of them, a head has " + std::to_string(rotary_dim / 2) +
                                    " pairs");
  }
  for (const float divisor : divisors) {
    if (!is_positive(divisor)) {
      return fail(Code::kCorrupt, "a rope divisor is not a number greater than 0");
    }
  }
  return ok();
}

Status check_longrope(const Rope& rope, uint32_t rotary_dim) {
  for (const std::vector<float>* divisors : {&rope.short_divisors, &rope.long_divisors}) {
    if (Status status = check_divisors(*divisors, rotary_dim); !status) return status;
  }
  return check_original_context("longrope", rope);
}

Status check_scaling(const Rope& rope, uint32_t rotary_dim) {
  if (!rope.frequency_divisors.empty()) return check_divisors(rope.frequency_divisors, rotary_dim);
  switch (rope.scaling) {
    case RopeScaling::kNone:
    case RopeScaling::kLinear:
      return ok();
    case RopeScaling::kLlama3:
      return check_llama3(rope);
    case RopeScaling::kYarn:
      return check_yarn(rope);
    case RopeScaling::kLongRope:
      return check_longrope(rope, rotary_dim);
  }
  return ok();
}

Status check_rope(const Rope& rope, uint32_t rotary_dim) {
  if (!is_positive(rope.theta)) return fail(Code::kCorrupt, "rope theta must be greater than 0");
  if (!is_positive(rope.factor)) {
    return fail(Code::kCorrupt, "the rope scaling factor must be greater than 0");
  }
  if (!is_positive(rope.attention_factor)) {
    return fail(Code::kCorrupt, "the rope scaling's attention factor must be greater than 0");
  }
  if (Status status = check_scaling(rope, rotary_dim); !status) return status;
  for (const uint32_t context : {1U, UINT32_MAX}) {
    for (const double frequency : rope_frequencies(rope_for_context(rope, context), rotary_dim)) {
      if (frequency <= kFrequencyMax) continue;
      return fail(Code::kCorrupt, "rope theta and scaling make rotations of more than " +
                                      std::to_string(static_cast<int>(kFrequencyMax)) +
                                      " radians a position");
    }
  }
  return ok();
}

/// Slow rotations (few turns within the original context) are stretched by the factor, fast ones
/// kept, those between blended.
double llama3_frequency(double frequency, const Rope& rope) {
  const double turns = rope.original_context * frequency / (2 * std::numbers::pi);
  if (turns > rope.high_freq_factor) return frequency;
  if (turns < rope.low_freq_factor) return frequency / rope.factor;
  const double kept =
      (turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
  return (1 - kept) * frequency / rope.factor + kept * frequency;
}

/// Yarn blends by the pair's number, between the pairs that make beta_fast and beta_slow turns.
struct YarnBlend {
  double first, last;  // pairs: kept before the one, stretched by the whole factor from the other
};

YarnBlend yarn_blend(const Rope& rope, uint32_t rotary_dim) {
  const auto pair_of = [&](double turns) {
    return rotary_dim * std::log(rope.original_context / (turns * 2 * std::numbers::pi)) /
           (2 * std::log(rope.theta));
  };
  double first = pair_of(rope.beta_fast);
  double last = pair_of(rope.beta_slow);
  if (rope.truncates) {
    first = std::floor(first);
    last = std::ceil(last);
  }
  first = std::max(first, 0.0);
  last = std::min(last, rotary_dim - 1.0);
  return {first, first == last ? last + 0.001 : last};
}

double yarn_frequency(double frequency, size_t pair, const YarnBlend& blend, const Rope& rope) {
  const double stretched =
      std::clamp((static_cast<double>(pair) - blend.first) / (blend.last - blend.first), 0.0, 1.0);
  return frequency / rope.factor * stretched + frequency * (1 - stretched);
}

}  // namespace

float rms_epsilon_of(double epsilon) {
  return epsilon > 0 && epsilon < 1 ? static_cast<float>(epsilon) : 0;
}

Status check_config(const ModelConfig& config) {
  if (Status status = check_counts(config); !status) return status;
  if (Status status = check_experts(config); !status) return status;
  if (Status status = check_heads(config); !status) return status;
  if (Status status = check_scales(config); !status) return status;
  if (rms_epsilon_of(config.rms_epsilon) == 0) {
    return fail(Code::kCorrupt, "the RMS norm's epsilon must lie between 0 and 1");
  }
  if (Status status = check_rope(config.rope, config.rotary_dim); !status) return status;
  if (!config.has_layer_with(LayerRope::kLocal)) return ok();
  return check_rope(config.local_rope, config.rotary_dim);
}

LayerFacts ModelConfig::layer(uint32_t index) const {
  return layer_facts.empty() ? LayerFacts{} : layer_facts.at(index);
}

bool ModelConfig::has_layer_with(LayerRope wanted) const {
  if (layer_facts.empty()) return wanted == LayerRope::kGlobal;
  return std::any_of(layer_facts.begin(), layer_facts.end(),
                     [&](const LayerFacts& facts) { return facts.rope == wanted; });
}

double yarn_attention_factor(double factor, double scale) {
  return factor <= 1 ? 1.0 : 0.1 * scale * std::log(factor) + 1.0;
}

Rope rope_for_context(const Rope& rope, uint32_t context) {
  Rope chosen = rope;
  if (rope.scaling == RopeScaling::kLongRope) {
    const bool is_long = context > rope.original_context;
    chosen.frequency_divisors = is_long ? rope.long_divisors : rope.short_divisors;
  }
  return chosen;
}

std::vector<double> rope_frequencies(const Rope& rope, uint32_t rotary_dim) {
  OVENBIRD_CHECK(rope.frequency_divisors.empty() ||
                 rope.frequency_divisors.size() == rotary_dim / 2);
  OVENBIRD_CHECK(rope.scaling != RopeScaling::kLongRope || !rope.frequency_divisors.empty());
  const bool is_yarn = rope.scaling == RopeScaling::kYarn;
  const YarnBlend blend = is_yarn ? yarn_blend(rope, rotary_dim) : YarnBlend{};
  std::vector<double> frequencies(rotary_dim / 2);
  for (size_t pair = 0; pair < frequencies.size(); ++pair) {
    const double exponent = 2.0 * static_cast<double>(pair) / rotary_dim;
    double frequency = std::pow(rope.theta, -exponent);
    if (!rope.frequency_divisors.empty()) {
      frequency /= rope.frequency_divisors[pair];
    } else if (rope.scaling == RopeScaling::kLinear) {
      frequency /= rope.factor;
    } else if (rope.scaling == RopeScaling::kLlama3) {
      frequency = llama3_frequency(frequency, rope);
    } else if (is_yarn) {
      frequency = yarn_frequency(frequency, pair, blend, rope);
    }
    frequencies[pair] = frequency;
  }
  return frequencies;
}

}  // namespace ovenbird
