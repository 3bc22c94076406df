// What sets the families of decoders apart, as one table of facts. The graph builder knows only
// ModelConfig; a family is how its config.json and its tensors' names are read.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "checkpoint/model_config.h"

namespace ovenbird {

/// Which biases a family's projections have.
enum class Biases {
  kNone,
  kQueryKeyValue,  // always
  kByKey           // as `attention_bias` and, where a family has it, `mlp_bias` say
};

/// Which layers see only a window of the newest tokens, as config.json says it.
enum class SlidingLayers {
  kNone,
  kAll,        // all, if there is a `sliding_window`
  kIfUsed,     // with `use_sliding_window`: those of `layer_types`, or from `max_window_layers` on
  kAllIfUsed,  // with `use_sliding_window`: all
  kPattern     // those of `layer_types`, or all but every Family::full_every-th
};

/// How a family's tensors of experts are called.
enum class ExpertNames { kNone, kMixtral, kQwen };

struct Family {
  Architecture architecture;
  const char* model_type;  // in config.json
  const char* class_name;  // in its `architectures`
  /// general.architecture; null = none of its own. Of two families with one name, the one with
  /// experts is meant where the file has some.
  const char* gguf;

  // The graph.
  NormPlacement norms = NormPlacement::kBefore;
  QueryKeyNorm query_key_norm = QueryKeyNorm::kNone;
  Activation activation = Activation::kSilu;
  bool adds_one_to_norms = false;         // norms multiply by 1 + weight (not so in a GGUF)
  bool scales_embedding = false;          // by sqrt(hidden)
  bool has_multipliers = false;           // `embedding_multiplier` and its like
  bool has_pre_attention_scalar = false;  // `query_pre_attn_scalar`

  // The tensors.
  Biases biases = Biases::kNone;
  bool has_mlp_bias = false;
  bool is_fused = false;  // qkv_proj, gate_up_proj
  ExpertNames experts = ExpertNames::kNone;
  bool is_interleaved_in_gguf = false;  // rows of queries and keys lie there in another order

  // What a missing key of config.json means; 0 = there is no default.
  double epsilon = 1e-6;
  double theta = 10000.0;
  double local_theta = 0;  // of the layers that slide; 0 = the same rope as the others
  uint32_t head_dim = 0;   // 0 = hidden / heads
  bool is_tied = false;
  SlidingLayers sliding = SlidingLayers::kNone;
  uint32_t window = 0;
  uint32_t full_every = 0;
  uint32_t unrotated_every = 0;  // every so many-th layer knows no positions
  bool has_partial_rotary = false;
  double attention_soft_cap = 0;
  double logit_soft_cap = 0;

  // What a GGUF does not say.
  uint32_t gguf_window = 0;  // of a file that names none
  /// The size, told by its layers, whose scores are scaled by hidden / heads, not by the head size.
  uint32_t layers_scaled_by_width = 0;
};

std::span<const Family> families();
const Family& family_of(Architecture architecture);

const char* name_of(Architecture architecture);  // its model_type

enum class SourceKind { kHuggingFace, kGguf };

/// "supported are gemma2, ... and smollm3", for messages that refuse a source.
std::string architectures_supported(SourceKind kind);

}  // namespace ovenbird
