// What lies in openvino_model.bin: every weight by name, how it is stored, and where.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace ovenbird {

enum class StoredType { kI4, kU4, kNf4, kI8, kU8, kF16, kF32 };

const char* name_of(StoredType type);  // OpenVINO's: "i4", ...
uint32_t bits_of(StoredType type);

/// A run of numbers in the weights file, as one OpenVINO constant.
struct Blob {
  StoredType type = StoredType::kF32;
  std::vector<uint64_t> shape;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

/// How a matrix is stored. A weight is `values * scales` or `(values - zeros) * scales`.
struct MatrixFormat {
  StoredType type = StoredType::kF32;
  uint64_t group = 0;  // weights that share a scale; 0 = no scales
  StoredType scale_type = StoredType::kF16;
  bool has_zeros = false;
  StoredType zero_type = StoredType::kU8;  // kU8, or kF32 for GGUF's minima

  bool operator==(const MatrixFormat&) const = default;
};

/// Weights `[rows, columns]` whose blobs are NAME.values and, if grouped, NAME.scales, NAME.zeros.
/// Values are [rows, padded_columns / group, group] (one group a row: [rows, padded_columns]).
struct StoredMatrix {
  MatrixFormat format;
  uint64_t rows = 0;
  uint64_t columns = 0;         // what the model has
  uint64_t padded_columns = 0;  // the next multiple of the group; the rest is zeros
};

struct StoredWeights {
  std::map<std::string, Blob> blobs;
  std::map<std::string, StoredMatrix> matrices;
};

}  // namespace ovenbird
