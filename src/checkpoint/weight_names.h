// What the weights of a decoder are called in files, and where in a tensor they lie.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"

namespace ovenbird {

/// The two families of tensor names.
enum class NameStyle { kHuggingFace, kGguf };

/// Where a weight is: rows [first_row, first_row + rows) of a tensor of `stored_shape`, whose first
/// dimensions all count as rows.
struct WeightPlace {
  std::string name;
  std::vector<uint64_t> stored_shape;
  uint64_t first_row = 0;
  uint64_t rows = 0;  // 1 for a vector
  uint64_t columns = 0;
};

/// `layer` and `expert` are ignored for the weights that have none.
WeightPlace weight_place(const ModelConfig& config, NameStyle style, Weight weight,
                         uint32_t layer = 0, uint32_t expert = 0);

/// Whether there is one of a weight in every layer.
bool is_per_layer(Weight weight);

/// How many of a weight a layer has, if its model has any: as many gates, ups and downs as experts;
/// routers only where there are experts; else 1.
uint32_t count_in_layer(const ModelConfig& config, Weight weight, uint32_t layer);

}  // namespace ovenbird
