// The operations that read stored weights: products, norms, the look-up of embeddings.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "bake/graph_ops.h"
#include "bake/stored_weights.h"

namespace ovenbird {

/// Weights of one graph, by the names that WeightsWriter gave them.
class WeightOps {
 public:
  /// All must outlive this, and `bytes`, the weights file, the graph too.
  WeightOps(const GraphOps& ops, const StoredWeights& stored, std::span<const std::byte> bytes)
      : ops_(ops), stored_(stored), bytes_(bytes) {}

  bool has(const std::string& name) const { return stored_.blobs.contains(name); }
  /// A node over the mapped bytes; copies nothing.
  Value constant(const std::string& name) const;

  /// rows [1, W, columns] times the matrix, plus its bias if it has one: [1, W, matrix rows].
  Value linear(const Value& rows, const std::string& name) const;

  /// Root mean square norm over the last axis: x / sqrt(mean(x^2) + epsilon) * weight.
  Value rms_norm(const Value& rows, const std::string& name, float epsilon) const;

  /// Looks rows up in the stored table and only then turns them into floats: ids [1, W] ->
  /// [1, W, columns]. `width` is W, -1 if it is open.
  Value look_up(const Value& ids, const std::string& name, int64_t width) const;

 private:
  Value matrix(const std::string& name) const;
  Value linear_in_parts(const Value& rows, const std::string& name) const;
  Value add_bias(const Value& rows, const std::string& name) const;

  const GraphOps& ops_;
  const StoredWeights& stored_;
  std::span<const std::byte> bytes_;
};

}  // namespace ovenbird
