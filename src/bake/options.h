// What the user of bake may choose, and the words for it.
#pragma once

#include <cstdint>
#include <optional>

#include "bake/matrix_list.h"
#include "bundle/manifest.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

enum class WeightChoice { kInt4, kNf4, kInt8, kF16, kF32, kGguf };

inline constexpr int32_t kDefaultGroup = 128;  // what every NPU takes

/// Whether it is one of those in groups of --group-size.
constexpr bool has_four_bits(WeightChoice choice) {
  return choice == WeightChoice::kInt4 || choice == WeightChoice::kNf4;
}

struct BakeOptions {
  Target target = Target::kNpu;
  WeightChoice weights = WeightChoice::kInt4;
  /// Embedding and head; none: 8 bit with int4, nf4 and int8, else as `weights`.
  std::optional<WeightChoice> embedding;
  /// int4 and nf4: weights that share a scale, a multiple of 32, -1 = a whole row; none: 128.
  std::optional<int32_t> group_size;
  bool asymmetric = false;  // int4 only: zero points; CPU and GPU only
  /// int4 and nf4: matrices of layers that are stored in 8 or 16 bits instead. f16 wins over int8.
  MatrixList int8_layers, f16_layers;
  /// int4 and nf4: the largest share of the layers' weights in 4 bits; the matrices that suffer
  /// most from it are stored in 8 bits, or for an NPU in 16. 1: all that no list names.
  double int4_ratio = 1.0;
  CacheType cache = CacheType::kF16;
  uint32_t context = 2048;  // P of the cached graphs; at most what the model was trained on
};

/// Refuses what contradicts itself or what the target cannot take, naming the flag that helps.
Status validate(const BakeOptions& options);

/// Refuses lists that name layers which a model of so many does not have.
Status validate_layers(const BakeOptions& options, uint32_t layers);

}  // namespace ovenbird
