// Which tensor of a file is which weight of a decoder.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "checkpoint/stored_tensor.h"
#include "checkpoint/weight_names.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

inline constexpr size_t kWeightKinds = static_cast<size_t>(Weight::kRouter) + 1;

/// Which weights a model has: by position of the enumerators of Weight.
using WeightSet = std::array<bool, kWeightKinds>;

/// The weights that every decoder of this configuration has: all but biases, and the head, norms
/// and router that it says are not there.
WeightSet plain_weights(const ModelConfig& config);

/// Every weight of a model, found by what it is. Immutable.
class WeightTable {
 public:
  /// Finds each weight of `wanted` in every layer and checks its shape against `config`.
  /// Errors: kCorrupt (a weight is missing or has another shape), kUnsupported (the file holds a
  /// tensor that is no part of such a decoder).
  static Result<WeightTable> bind(const ModelConfig& config, const WeightSet& wanted,
                                  NameStyle style, std::vector<StoredTensor> stored);

  const Tensor* find(Weight weight, uint32_t layer, uint32_t expert = 0) const;
  Tensor* find(Weight weight, uint32_t layer, uint32_t expert = 0);

  const std::vector<Tensor>& tensors() const { return tensors_; }

 private:
  static constexpr uint32_t kAbsent = UINT32_MAX;
  size_t slot(Weight weight, uint32_t layer) const;

  uint32_t layers_ = 0;
  std::vector<Tensor> tensors_;  // the experts of one layer follow one another
  std::vector<uint32_t> first_;  // [layers, kWeightKinds], index into tensors_ or kAbsent
  std::vector<uint32_t> counts_;
};

}  // namespace ovenbird
