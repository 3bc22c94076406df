// Which tensor of a file is which weight of a decoder: names, expected shapes, and nothing else.
#include "checkpoint/weight_table.h"

#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/message_text.h"

namespace ovenbird {
namespace {

constexpr std::string_view kLayerMark = "#";  // stands for the layer's number in a name

struct WeightNames {
  Weight weight;
  bool is_per_layer;
  const char* hugging_face;
  const char* gguf;
};

constexpr WeightNames kNames[] = {
    {Weight::kEmbedding, false, "model.embed_tokens.weight", "token_embd.weight"},
    {Weight::kFinalNorm, false, "model.norm.weight", "output_norm.weight"},
    {Weight::kHead, false, "lm_head.weight", "output.weight"},
    {Weight::kAttentionNorm, true, "model.layers.#.input_layernorm.weight",
     "blk.#.attn_norm.weight"},
    {Weight::kQuery, true, "model.layers.#.self_attn.q_proj.weight", "blk.#.attn_q.weight"},
    {Weight::kKey, true, "model.layers.#.self_attn.k_proj.weight", "blk.#.attn_k.weight"},
    {Weight::kValue, true, "model.layers.#.self_attn.v_proj.weight", "blk.#.attn_v.weight"},
    {Weight::kOutput, true, "model.layers.#.self_attn.o_proj.weight", "blk.#.attn_output.weight"},
    {Weight::kQueryBias, true, "model.layers.#.self_attn.q_proj.bias", "blk.#.attn_q.bias"},
    {Weight::kKeyBias, true, "model.layers.#.self_attn.k_proj.bias", "blk.#.attn_k.bias"},
    {Weight::kValueBias, true, "model.layers.#.self_attn.v_proj.bias", "blk.#.attn_v.bias"},
    {Weight::kOutputBias, true, "model.layers.#.self_attn.o_proj.bias", "blk.#.attn_output.bias"},
    {Weight::kQueryNorm, true, "model.layers.#.self_attn.q_norm.weight",
     "blk.#.attn_q_norm.weight"},
    {Weight::kKeyNorm, true, "model.layers.#.self_attn.k_norm.weight", "blk.#.attn_k_norm.weight"},
    {Weight::kMlpNorm, true, "model.layers.#.post_attention_layernorm.weight",
     "blk.#.ffn_norm.weight"},
    {Weight::kGate, true, "model.layers.#.mlp.gate_proj.weight", "blk.#.ffn_gate.weight"},
    {Weight::kUp, true, "model.layers.#.mlp.up_proj.weight", "blk.#.ffn_up.weight"},
    {Weight::kDown, true, "model.layers.#.mlp.down_proj.weight", "blk.#.ffn_down.weight"},
    {Weight::kGateBias, true, "model.layers.#.mlp.gate_proj.bias", "blk.#.ffn_gate.bias"},
    {Weight::kUpBias, true, "model.layers.#.mlp.up_proj.bias", "blk.#.ffn_up.bias"},
    {Weight::kDownBias, true, "model.layers.#.mlp.down_proj.bias", "blk.#.ffn_down.bias"},
};

constexpr bool names_follow_the_enumerators() {
  for (size_t index = 0; index < std::size(kNames); ++index) {
    if (static_cast<size_t>(kNames[index].weight) != index) return false;
  }
  return std::size(kNames) == kWeightKinds;
}
static_assert(names_follow_the_enumerators());

struct Shape {
  uint64_t rows, columns;  // rows = 0: a vector
};

Shape expected_shape(const ModelConfig& config, Weight weight) {
  const uint64_t hidden = config.hidden;
  const uint64_t query = uint64_t{config.heads} * config.head_dim;
  const uint64_t key = uint64_t{config.kv_heads} * config.head_dim;
  switch (weight) {
    case Weight::kEmbedding:
    case Weight::kHead:
      return {config.vocabulary, hidden};
    case Weight::kFinalNorm:
    case Weight::kAttentionNorm:
    case Weight::kMlpNorm:
    case Weight::kOutputBias:
    case Weight::kDownBias:
      return {0, hidden};
    case Weight::kQuery:
      return {query, hidden};
    case Weight::kKey:
    case Weight::kValue:
      return {key, hidden};
    case Weight::kOutput:
      return {hidden, query};
    case Weight::kQueryBias:
      return {0, query};
    case Weight::kKeyBias:
    case Weight::kValueBias:
      return {0, key};
    case Weight::kQueryNorm:
    case Weight::kKeyNorm:
      return {0, config.head_dim};
    case Weight::kGate:
    case Weight::kUp:
      return {config.intermediate, hidden};
    case Weight::kDown:
      return {hidden, config.intermediate};
    case Weight::kGateBias:
    case Weight::kUpBias:
      return {0, config.intermediate};
  }
  return {0, 0};
}

std::string text_of(const std::vector<uint64_t>& shape) {
  std::string out = "[";
  for (const uint64_t dimension : shape) {
    if (out.size() > 1) out += ", ";
    out += std::to_string(dimension);
  }
  return out + "]";
}

Result<Tensor> as_weight(const ModelConfig& config, Weight weight, StoredTensor stored) {
  const Shape shape = expected_shape(config, weight);
  const std::vector<uint64_t> wanted = shape.rows == 0
                                           ? std::vector<uint64_t>{shape.columns}
                                           : std::vector<uint64_t>{shape.rows, shape.columns};
  if (stored.shape != wanted) {
    return fail(Code::kCorrupt, "tensor " + in_quotes(stored.name) + " has the shape " +
                                    text_of(stored.shape) + "; the configuration needs " +
                                    text_of(wanted));
  }
  return Tensor{.name = std::move(stored.name),
                .type = stored.type,
                .rows = shape.rows == 0 ? 1 : shape.rows,
                .columns = shape.columns,
                .bytes = stored.bytes,
                .interleaved_heads = 0};
}

/// What old checkpoints carry along and no reader uses.
bool is_ignored(const ModelConfig& config, std::string_view name) {
  if (name.ends_with(".rotary_emb.inv_freq")) return true;  // computed from the configuration
  if (name == "rope_freqs.weight") return true;             // read as part of the configuration
  return config.tied_head && name == "lm_head.weight";      // the embedding takes its place
}

}  // namespace

std::string weight_name(NameStyle style, Weight weight, uint32_t layer) {
  const WeightNames& names = kNames[static_cast<size_t>(weight)];
  std::string name = style == NameStyle::kGguf ? names.gguf : names.hugging_face;
  if (const size_t at = name.find(kLayerMark); at != std::string::npos) {
    name.replace(at, kLayerMark.size(), std::to_string(layer));
  }
  return name;
}

WeightSet plain_weights(const ModelConfig& config) {
  WeightSet wanted;
  wanted.fill(true);
  for (const Weight bias :
       {Weight::kQueryBias, Weight::kKeyBias, Weight::kValueBias, Weight::kOutputBias,
        Weight::kGateBias, Weight::kUpBias, Weight::kDownBias}) {
    wanted[static_cast<size_t>(bias)] = false;
  }
  wanted[static_cast<size_t>(Weight::kHead)] = !config.tied_head;
  wanted[static_cast<size_t>(Weight::kQueryNorm)] = config.qk_norm;
  wanted[static_cast<size_t>(Weight::kKeyNorm)] = config.qk_norm;
  return wanted;
}

size_t WeightTable::slot(Weight weight, uint32_t layer) const {
  const auto kind = static_cast<size_t>(weight);
  return (kNames[kind].is_per_layer ? layer : 0) * kWeightKinds + kind;
}

Result<WeightTable> WeightTable::bind(const ModelConfig& config, const WeightSet& wanted,
                                      NameStyle style, std::vector<StoredTensor> stored) {
  std::unordered_map<std::string, size_t> by_name;
  for (size_t index = 0; index < stored.size(); ++index) by_name[stored[index].name] = index;

  WeightTable table;
  table.layers_ = config.layers;
  table.slots_.assign(size_t{config.layers} * kWeightKinds, kAbsent);
  for (const WeightNames& names : kNames) {
    if (!wanted[static_cast<size_t>(names.weight)]) continue;
    const uint32_t layers = names.is_per_layer ? config.layers : 1;
    for (uint32_t layer = 0; layer < layers; ++layer) {
      const std::string name = weight_name(style, names.weight, layer);
      const auto entry = by_name.find(name);
      if (entry == by_name.end()) {
        return fail(Code::kCorrupt, "the tensor " + in_quotes(name) + " is missing");
      }
      auto tensor = as_weight(config, names.weight, std::move(stored[entry->second]));
      if (!tensor) return Failure{tensor.error()};
      by_name.erase(entry);
      table.slots_[table.slot(names.weight, layer)] = static_cast<uint32_t>(table.tensors_.size());
      table.tensors_.push_back(*std::move(tensor));
    }
  }
  for (const auto& [name, index] : by_name) {
    if (is_ignored(config, name)) continue;
    return fail(Code::kUnsupported, "the tensor " + in_quotes(name) + " is no part of a " +
                                        std::string(name_of(config.architecture)) +
                                        " decoder with this configuration");
  }
  return table;
}

const Tensor* WeightTable::find(Weight weight, uint32_t layer) const {
  if (kNames[static_cast<size_t>(weight)].is_per_layer && layer >= layers_) return nullptr;
  const uint32_t index = slots_[slot(weight, layer)];
  return index == kAbsent ? nullptr : &tensors_[index];
}

Tensor* WeightTable::find(Weight weight, uint32_t layer) {
  return const_cast<Tensor*>(std::as_const(*this).find(weight, layer));
}

}  // namespace ovenbird
