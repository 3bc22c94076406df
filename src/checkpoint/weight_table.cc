// Which tensor of a file is which weight of a decoder: names, expected shapes, and nothing else.
#include "checkpoint/weight_table.h"

#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/message_text.h"
#include "checkpoint/family.h"

namespace ovenbird {
namespace {

std::string text_of(const std::vector<uint64_t>& shape) {
  std::string out = "[";
  for (const uint64_t dimension : shape) {
    if (out.size() > 1) out += ", ";
    out += std::to_string(dimension);
  }
  return out + "]";
}

/// The part of a stored tensor that a weight is.
Result<Tensor> as_weight(const WeightPlace& place, const StoredTensor& stored) {
  if (stored.shape != place.stored_shape) {
    return fail(Code::kCorrupt, "tensor " + in_quotes(stored.name) + " has the shape " +
                                    text_of(stored.shape) + "; the configuration needs " +
                                    text_of(place.stored_shape));
  }
  Tensor tensor{.name = stored.name,
                .type = stored.type,
                .rows = place.rows,
                .columns = place.columns,
                .bytes = {},
                .interleaved_heads = 0};
  tensor.bytes =
      stored.bytes.subspan(place.first_row * tensor.row_bytes(), place.rows * tensor.row_bytes());
  return tensor;
}

/// What old checkpoints carry along and no reader uses.
bool is_ignored(const ModelConfig& config, std::string_view name) {
  if (name.ends_with(".rotary_emb.inv_freq")) return true;  // computed from the configuration
  for (const char* divisors :                               // read as part of the configuration
       {"rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"}) {
    if (name == divisors) return true;
  }
  return config.tied_head && name == "lm_head.weight";  // the embedding takes its place
}

/// A file's tensors by name, and which of them have been used.
class StoredTensors {
 public:
  explicit StoredTensors(std::vector<StoredTensor> stored)
      : stored_(std::move(stored)), is_used_(stored_.size()) {
    for (size_t index = 0; index < stored_.size(); ++index) by_name_[stored_[index].name] = index;
  }

  Result<Tensor> take(const WeightPlace& place) {
    const auto entry = by_name_.find(place.name);
    if (entry == by_name_.end()) {
      return fail(Code::kCorrupt, "the tensor " + in_quotes(place.name) + " is missing");
    }
    is_used_[entry->second] = true;
    return as_weight(place, stored_[entry->second]);
  }

  Status refuse_rest(const ModelConfig& config) const {
    for (const auto& [name, index] : by_name_) {
      if (is_used_[index] || is_ignored(config, name)) continue;
      return fail(Code::kUnsupported, "the tensor " + in_quotes(name) + " is no part of a " +
                                          std::string(name_of(config.architecture)) +
                                          " decoder with this configuration");
    }
    return ok();
  }

 private:
  std::vector<StoredTensor> stored_;
  std::unordered_map<std::string, size_t> by_name_;
  std::vector<bool> is_used_;
};

}  // namespace

WeightSet plain_weights(const ModelConfig& config) {
  WeightSet wanted;
  wanted.fill(true);
  for (const Weight bias :
       {Weight::kQueryBias, Weight::kKeyBias, Weight::kValueBias, Weight::kOutputBias,
        Weight::kGateBias, Weight::kUpBias, Weight::kDownBias}) {
    wanted[static_cast<size_t>(bias)] = false;
  }
  const auto set = [&](std::initializer_list<Weight> kinds, bool is_there) {
    for (const Weight kind : kinds) wanted[static_cast<size_t>(kind)] = is_there;
  };
  set({Weight::kHead}, !config.tied_head);
  set({Weight::kQueryNorm, Weight::kKeyNorm}, config.query_key_norm != QueryKeyNorm::kNone);
  set({Weight::kAttentionNorm, Weight::kMlpNorm}, config.norms != NormPlacement::kAfter);
  set({Weight::kAttentionPostNorm, Weight::kMlpPostNorm}, config.norms != NormPlacement::kBefore);
  set({Weight::kRouter}, config.experts > 0);
  return wanted;
}

size_t WeightTable::slot(Weight weight, uint32_t layer) const {
  return (is_per_layer(weight) ? layer : 0) * kWeightKinds + static_cast<size_t>(weight);
}

Result<WeightTable> WeightTable::bind(const ModelConfig& config, const WeightSet& wanted,
                                      NameStyle style, std::vector<StoredTensor> stored) {
  StoredTensors found(std::move(stored));
  WeightTable table;
  table.layers_ = config.layers;
  table.first_.assign(size_t{config.layers} * kWeightKinds, kAbsent);
  table.counts_.assign(table.first_.size(), 0);
  for (size_t kind = 0; kind < kWeightKinds; ++kind) {
    const auto weight = static_cast<Weight>(kind);
    const uint32_t layers = is_per_layer(weight) ? config.layers : 1;
    for (uint32_t layer = 0; wanted[kind] && layer < layers; ++layer) {
      const uint32_t count = count_in_layer(config, weight, layer);
      if (count == 0) continue;
      table.first_[table.slot(weight, layer)] = static_cast<uint32_t>(table.tensors_.size());
      table.counts_[table.slot(weight, layer)] = count;
      for (uint32_t expert = 0; expert < count; ++expert) {
        auto tensor = found.take(weight_place(config, style, weight, layer, expert));
        if (!tensor) return Failure{tensor.error()};
        table.tensors_.push_back(*std::move(tensor));
      }
    }
  }
  if (Status status = found.refuse_rest(config); !status) return Failure{status.error()};
  return table;
}

const Tensor* WeightTable::find(Weight weight, uint32_t layer, uint32_t expert) const {
  if (is_per_layer(weight) && layer >= layers_) return nullptr;
  const size_t at = slot(weight, layer);
  if (first_[at] == kAbsent || expert >= counts_[at]) return nullptr;
  return &tensors_[first_[at] + expert];
}

Tensor* WeightTable::find(Weight weight, uint32_t layer, uint32_t expert) {
  return const_cast<Tensor*>(std::as_const(*this).find(weight, layer, expert));
}

}  // namespace ovenbird
