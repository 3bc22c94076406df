// What a decoder is, apart from its weights: the same for every kind of source.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/layer_rope.h"

namespace ovenbird {

enum class Architecture {
  kLlama,
  kMistral,
  kMixtral,
  kQwen2,
  kQwen3,
  kQwen3Moe,
  kPhi3,
  kGemma2,
  kGemma3,
  kSmolLm3,
  kGranite,
  kOlmo2
};

enum class RopeScaling { kNone, kLinear, kLlama3, kYarn, kLongRope };

/// Rotary position embedding of the first `rotary_dim` numbers of each head, halves rotated
/// (Hugging Face's order).
struct Rope {
  double theta = 10000.0;
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1.0;            // kLinear, kLlama3, kYarn
  double low_freq_factor = 1.0;   // kLlama3
  double high_freq_factor = 4.0;  // kLlama3
  double beta_fast = 32.0;        // kYarn: turns within the original context, kept from here on
  double beta_slow = 1.0;         // kYarn: stretched by the whole factor up to here
  bool truncates = true;          // kYarn: the bounds of the blend are whole pairs
  uint32_t original_context = 0;  // kLlama3, kYarn, kLongRope; tokens
  double attention_factor = 1.0;  // kYarn, kLongRope: on sine and cosine
  /// kLongRope: what frequencies are divided by within the original context, and beyond it.
  std::vector<float> short_divisors, long_divisors;
  /// Ready divisors [rotary_dim / 2], as GGUF writes llama3 scaling and as a kLongRope comes out of
  /// rope_for_context(); empty = use the fields above.
  std::vector<float> frequency_divisors;
};

/// The norms of a layer: before its attention and MLP, after them, or both.
enum class NormPlacement { kBefore, kAfter, kBoth };

/// RMS norms of queries and keys before rotation: of every head, or of all heads as one row.
enum class QueryKeyNorm { kNone, kEachHead, kAllHeads };

enum class Activation { kSilu, kGeluTanh };

/// In what the layers of one model differ.
struct LayerFacts {
  bool slides = false;  // sees only the newest ModelConfig::window tokens
  LayerRope rope = LayerRope::kGlobal;
  bool has_experts = false;
};

/// All counts are checked against base/limits.h and against the tensors' shapes.
struct ModelConfig {
  Architecture architecture = Architecture::kLlama;
  uint32_t hidden = 0;  // width of the residual stream
  uint32_t layers = 0;
  uint32_t heads = 0;  // query heads; a multiple of kv_heads
  uint32_t kv_heads = 0;
  uint32_t head_dim = 0;      // even; heads * head_dim may differ from hidden
  uint32_t rotary_dim = 0;    // even; the part of a head that is rotated
  uint32_t intermediate = 0;  // width of the MLP
  uint32_t vocabulary = 0;    // rows of the embedding
  uint32_t context = 0;       // tokens the model was trained on (max_position_embeddings)
  float rms_epsilon = 1e-5f;
  Rope rope;
  Rope local_rope;         // of layers with LayerRope::kLocal
  bool tied_head = false;  // the head is the embedding

  NormPlacement norms = NormPlacement::kBefore;
  QueryKeyNorm query_key_norm = QueryKeyNorm::kNone;
  float norm_offset = 0;  // what is added to every norm weight of the source
  Activation activation = Activation::kSilu;
  float attention_scale = 0;  // of scores; 0 = 1 / sqrt(head_dim)
  float embedding_scale = 1;
  float residual_scale = 1;  // of what attention and MLP add
  float logit_scale = 1;
  float attention_soft_cap = 0;  // scores become cap * tanh(score / cap); 0 = no cap
  float logit_soft_cap = 0;      // logits likewise

  uint32_t window = 0;  // tokens that a layer which slides sees, its own among them
  uint32_t experts = 0;
  uint32_t experts_per_token = 0;
  uint32_t expert_intermediate = 0;     // width of one expert's MLP
  bool normalizes_experts = false;      // the chosen experts' shares are made to sum to 1
  std::vector<LayerFacts> layer_facts;  // one a layer; empty = all alike and plain

  std::vector<int64_t> bos_ids;
  std::vector<int64_t> eos_ids;  // any of them ends an answer; generation_config.json's win

  LayerFacts layer(uint32_t index) const;
  /// Whether any layer's rope is `rope`.
  bool has_layer_with(LayerRope rope) const;
};

/// Radians per position for each rotated pair, `[rotary_dim / 2]`, scaling applied.
/// Sources: the rules of transformers' modeling_rope_utils.py; yarn is Peng et al. 2023
/// (arXiv 2309.00071), longrope Ding et al. 2024 (arXiv 2402.13753).
std::vector<double> rope_frequencies(const Rope& rope, uint32_t rotary_dim);

/// What yarn multiplies sine and cosine by where a source says only by how much the context is
/// stretched; `scale` is its `mscale`.
double yarn_attention_factor(double factor, double scale = 1);

/// A kLongRope with the divisors for conversations of up to `context` tokens: a bundle rotates all
/// positions by one set, so that keys once cached stay right. Others as they are.
Rope rope_for_context(const Rope& rope, uint32_t context);

}  // namespace ovenbird
