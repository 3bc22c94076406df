// Serializes a step graph as OpenVINO IR whose constants all lie in one shared weights file.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <openvino/core/model.hpp>
#include <span>
#include <string>
#include <utility>

#include "bundle/bundle_writer.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// Writes the .xml of any number of graphs over one .bin. Constants whose numbers lie in the file
/// already are known by where they lie in memory; others (axes, masks) are appended, equal ones
/// once.
class IrWriter {
 public:
  explicit IrWriter(BundleFile& weights) : weights_(weights) {}

  /// From now on, a constant over just these bytes of memory lies at `offset` in the file.
  void place(std::span<const std::byte> memory, uint64_t offset);

  /// The graph as IR text. Errors: kIo (the weights file), kInternal (OpenVINO refuses).
  Result<std::string> write(const std::shared_ptr<ov::Model>& model);

 private:
  struct Place {
    uint64_t offset;
    uint64_t bytes;
  };
  Result<std::map<std::string, Place>> place_constants(const ov::Model& model);
  Result<Place> append(std::span<const std::byte> bytes);

  BundleFile& weights_;
  std::map<std::pair<const void*, size_t>, uint64_t> placed_;  // (memory, bytes) -> offset
  std::map<std::string, uint64_t> appended_;                   // bytes -> offset
};

}  // namespace ovenbird
