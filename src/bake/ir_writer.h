// Serializes a step graph as OpenVINO IR whose constants all lie in one shared weights file.
#pragma once

#include <map>
#include <memory>
#include <openvino/core/model.hpp>
#include <string>

#include "bake/stored_weights.h"
#include "bundle/bundle_writer.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// Writes the .xml of any number of graphs over one .bin. Weights are found by their name in
/// `stored`; other constants (axes, masks) are appended to the file, equal ones once.
class IrWriter {
 public:
  IrWriter(const StoredWeights& stored, BundleFile& weights) : stored_(stored), weights_(weights) {}

  /// The graph as IR text. Errors: kIo (the weights file), kInternal (OpenVINO refuses).
  Result<std::string> write(const std::shared_ptr<ov::Model>& model);

 private:
  struct Place {
    uint64_t offset;
    uint64_t bytes;
  };
  Result<std::map<std::string, Place>> place_constants(const ov::Model& model);
  Result<Place> append(const ov::Node& constant);

  const StoredWeights& stored_;
  BundleFile& weights_;
  std::map<std::string, uint64_t> appended_;  // bytes -> offset
};

}  // namespace ovenbird
