// What a decoder is, apart from its weights: the same for every kind of source.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ovenbird {

enum class Architecture { kLlama, kMistral, kQwen2, kQwen3 };

enum class RopeScaling { kNone, kLinear, kLlama3 };

/// Rotary position embedding over all of head_dim, halves rotated (Hugging Face's order).
struct Rope {
  double theta = 10000.0;
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1.0;            // kLinear, kLlama3
  double low_freq_factor = 1.0;   // kLlama3
  double high_freq_factor = 4.0;  // kLlama3
  uint32_t original_context = 0;  // kLlama3, tokens
  /// GGUF writes llama3 scaling as ready divisors [head_dim / 2]; empty = use the fields above.
  std::vector<float> frequency_divisors;
};

/// All counts are checked against base/limits.h and against the tensors' shapes.
struct ModelConfig {
  Architecture architecture = Architecture::kLlama;
  uint32_t hidden = 0;  // width of the residual stream
  uint32_t layers = 0;
  uint32_t heads = 0;  // query heads; a multiple of kv_heads
  uint32_t kv_heads = 0;
  uint32_t head_dim = 0;      // even; heads * head_dim may differ from hidden
  uint32_t intermediate = 0;  // width of the MLP
  uint32_t vocabulary = 0;    // rows of the embedding
  uint32_t context = 0;       // tokens the model was trained on (max_position_embeddings)
  float rms_epsilon = 1e-5f;
  Rope rope;
  bool tied_head = false;  // the head is the embedding
  bool qk_norm = false;    // RMS norm of each query and key head, before rotation
  std::vector<int64_t> bos_ids;
  std::vector<int64_t> eos_ids;  // any of them ends an answer; generation_config.json's win
};

/// Radians per position for each rotated pair, `[head_dim / 2]`, scaling applied.
/// Source of the llama3 rule: transformers, modeling_rope_utils.py.
std::vector<double> rope_frequencies(const ModelConfig& config);

const char* name_of(Architecture architecture);  // "llama", "mistral", ...

}  // namespace ovenbird
