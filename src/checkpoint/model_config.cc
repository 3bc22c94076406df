// What every ModelConfig must fulfil, and its rotation frequencies.
#include "checkpoint/model_config.h"

#include <cmath>
#include <numbers>
#include <string>

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
  return ok();
}

constexpr double kFrequencyMax = 1000;  // radians a position; models have at most 1

bool is_positive(double value) { return std::isfinite(value) && value > 0; }

Status check_llama3(const Rope& rope) {
  const bool is_ordered = is_positive(rope.low_freq_factor) &&
                          std::isfinite(rope.high_freq_factor) &&
                          rope.high_freq_factor > rope.low_freq_factor;
  if (!is_ordered) {
    return fail(Code::kCorrupt,
                "llama3 rope scaling: high_freq_factor must be greater than low_freq_factor, and "
                "both than 0");
  }
  if (rope.original_context == 0 || rope.original_context > limits::kContextMax) {
    return fail(Code::kCorrupt, "llama3 rope scaling: original_max_position_embeddings is " +
                                    std::to_string(rope.original_context) + "; accepted: 1 to " +
                                    std::to_string(limits::kContextMax));
  }
  return ok();
}

Status check_divisors(const ModelConfig& config) {
  const std::vector<float>& divisors = config.rope.frequency_divisors;
  if (!divisors.empty() && divisors.size() != config.head_dim / 2) {
    return fail(Code::kCorrupt, "rope divisors: " + std::to_string(divisors.size()) +
                                    " of them, a head has " + std::to_string(config.head_dim / 2) +
                                    " pairs");
  }
  for (const float divisor : divisors) {
    if (!is_positive(divisor)) {
      return fail(Code::kCorrupt, "a rope divisor is not a number greater than 0");
    }
  }
  return ok();
}

Status check_rope(const ModelConfig& config) {
  const Rope& rope = config.rope;
  if (!is_positive(rope.theta)) return fail(Code::kCorrupt, "rope theta must be greater than 0");
  if (!is_positive(rope.factor)) {
    return fail(Code::kCorrupt, "the rope scaling factor must be greater than 0");
  }
  if (Status status = check_divisors(config); !status) return status;
  if (rope.scaling == RopeScaling::kLlama3 && rope.frequency_divisors.empty()) {
    if (Status status = check_llama3(rope); !status) return status;
  }
  for (const double frequency : rope_frequencies(config)) {
    if (!(frequency <= kFrequencyMax)) {
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

}  // namespace

float rms_epsilon_of(double epsilon) {
  return epsilon > 0 && epsilon < 1 ? static_cast<float>(epsilon) : 0;
}

Status check_config(const ModelConfig& config) {
  if (Status status = check_counts(config); !status) return status;
  if (Status status = check_heads(config); !status) return status;
  if (rms_epsilon_of(config.rms_epsilon) == 0) {
    return fail(Code::kCorrupt, "the RMS norm's epsilon must lie between 0 and 1");
  }
  return check_rope(config);
}

std::vector<double> rope_frequencies(const ModelConfig& config) {
  const Rope& rope = config.rope;
  OVENBIRD_CHECK(rope.frequency_divisors.empty() ||
                 rope.frequency_divisors.size() == config.head_dim / 2);
  std::vector<double> frequencies(config.head_dim / 2);
  for (size_t pair = 0; pair < frequencies.size(); ++pair) {
    const double exponent = 2.0 * static_cast<double>(pair) / config.head_dim;
    double frequency = std::pow(rope.theta, -exponent);
    if (!rope.frequency_divisors.empty()) {
      frequency /= rope.frequency_divisors[pair];
    } else if (rope.scaling == RopeScaling::kLinear) {
      frequency /= rope.factor;
    } else if (rope.scaling == RopeScaling::kLlama3) {
      frequency = llama3_frequency(frequency, rope);
    }
    frequencies[pair] = frequency;
  }
  return frequencies;
}

const char* name_of(Architecture architecture) {
  switch (architecture) {
    case Architecture::kLlama:
      return "llama";
    case Architecture::kMistral:
      return "mistral";
    case Architecture::kQwen2:
      return "qwen2";
    case Architecture::kQwen3:
      return "qwen3";
  }
  return "?";
}

}  // namespace ovenbird
