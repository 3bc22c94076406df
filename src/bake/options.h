// What the user of bake may choose, and the words for it.
#pragma once

#include <cstdint>
#include <optional>

#include "bundle/manifest.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

enum class WeightChoice { kInt4, kInt8, kF16, kF32, kGguf };

struct BakeOptions {
  Target target = Target::kNpu;
  WeightChoice weights = WeightChoice::kInt4;
  /// Embedding and head; none: 8 bit with int4 and int8, else as `weights`.
  std::optional<WeightChoice> embedding;
  /// int4 only: weights that share a scale, a multiple of 32, -1 = a whole row; none: 128.
  std::optional<int32_t> group_size;
  bool asymmetric = false;  // int4 only: zero points; CPU and GPU only
  CacheType cache = CacheType::kF16;
  uint32_t context = 2048;  // P of the cached graphs; at most what the model was trained on
};

/// Refuses what contradicts itself or what the target cannot take, naming the flag that helps.
Status validate(const BakeOptions& options);

}  // namespace ovenbird
