// Serializes a step graph as OpenVINO IR whose constants all lie in one shared weights file.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <openvino/core/model.hpp>
#include <span>
#include <string>
#include <utility>

#include "bake/stored_weights.h"
#include "bundle/bundle_writer.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// Where the bytes of a graph's constants lie, by the names of their layers.
struct ConstantPlace {
  uint64_t offset;
  uint64_t bytes;
};
using ConstantPlaces = std::map<std::string, ConstantPlace>;

/// A graph whose constants have their places in the weights file.
struct PlacedGraph {
  std::shared_ptr<ov::Model> model;  // used up: inputs stand in for its large constants
  ConstantPlaces places;
};

/// The graph as IR text. Safe on another thread than the one that makes other graphs.
/// Errors: kInternal (OpenVINO refuses).
Result<std::string> ir_text(const PlacedGraph& graph);

/// Gives places to the constants of any number of graphs over one .bin. Constants whose numbers lie
/// in the file already are known by where they lie in memory; others (axes, masks) are appended,
/// equal ones once.
class IrWriter {
 public:
  explicit IrWriter(BundleFile& weights) : weights_(weights) {}

  /// From now on, a constant over just these bytes of memory lies at `offset` in the file.
  void place(std::span<const std::byte> memory, uint64_t offset);

  /// The same for all that is stored in the file, which is mapped as `file`.
  void place(const StoredWeights& stored, std::span<const std::byte> file);

  /// Errors: kIo (the weights file).
  Result<PlacedGraph> place(std::shared_ptr<ov::Model> model);

 private:
  Result<ConstantPlace> append(std::span<const std::byte> bytes);

  BundleFile& weights_;
  std::map<std::pair<const void*, size_t>, uint64_t> placed_;  // (memory, bytes) -> offset
  std::map<std::string, uint64_t> appended_;                   // bytes -> offset
};

}  // namespace ovenbird
