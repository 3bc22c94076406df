// The matrices of a decoder layer as they are stored: those multiplied by the same input together.
#pragma once

#include <array>
#include <vector>

#include "checkpoint/checkpoint.h"

namespace ovenbird {

struct LayerGroup {
  const char* part;  // "qkv": layers.N.qkv in the weights file
  std::vector<Weight> members;
};

/// In the order in which they are stored.
inline const std::array<LayerGroup, 4> kLayerGroups = {
    {{"qkv", {Weight::kQuery, Weight::kKey, Weight::kValue}},
     {"output", {Weight::kOutput}},
     {"gate_up", {Weight::kGate, Weight::kUp}},
     {"down", {Weight::kDown}}}};

}  // namespace ovenbird
