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

/// Writes the .xml of any number of graphs over one .bin. Constants whose numbers lie in the file
/// already are known by where they lie in memory; others (axes, masks) are appended, equal ones
/// once.
class IrWriter {
 public:
  explicit IrWriter(BundleFile& weights) : weights_(weights) {}

  /// From now on, a constant over just these bytes of memory lies at `offset` in the file.
  void place(std::span<const std::byte> memory, uint64_t offset);

  /// The same for all that is stored in the file, which is mapped as `file`.
  void place(const StoredWeights& stored, std::span<const std::byte> file);

  /// The graph as IR text. The graph is used up: its large constants are replaced on the way.
  /// Errors: kIo (the weights file), kInternal (OpenVINO refuses).
  Result<std::string> write(const std::shared_ptr<ov::Model>& model);

 private:
  struct Place {
    uint64_t offset;
    uint64_t bytes;
  };
  using Places = std::map<std::string, Place>;  // friendly name of a layer -> its bytes
  Result<Places> place_constants(ov::Model& model);
  Result<Place> append(std::span<const std::byte> bytes);

  BundleFile& weights_;
  std::map<std::pair<const void*, size_t>, uint64_t> placed_;  // (memory, bytes) -> offset
  std::map<std::string, uint64_t> appended_;                   // bytes -> offset
};

}  // namespace ovenbird
