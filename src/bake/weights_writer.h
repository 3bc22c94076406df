// Stage 2, bake. In: a checkpoint. Out: openvino_model.bin, and a table of what lies where in it.
// Streams row by row: memory stays far below the largest tensor.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "bake/error_feedback.h"
#include "bake/matrix_rows.h"
#include "bake/options.h"
#include "bake/stored_weights.h"
#include "bake/weight_sink.h"
#include "checkpoint/checkpoint.h"

namespace ovenbird {

/// Told now and then how many bytes of the source are done; false = stop (the user wants out).
using BakeProgress = std::function<bool(uint64_t source_bytes_done)>;

/// What a bake ends with when it was told to stop.
Failure interrupted();

/// Matrices that the decoder multiplies the same input by, stored as one where their formats allow.
struct MatrixGroup {
  std::string name;  // "layers.0.qkv"
  std::vector<Weight> members;
  uint32_t layer = 0;
};

/// By a group's name; all of its members are multiplied by the same input.
using LayerFeedback = std::map<std::string, ErrorFeedback>;

class WeightsWriter;
/// Writes one decoder layer through the writer that it is given.
using LayerWriter = std::function<Status(uint32_t layer, WeightsWriter& writer)>;

std::string layer_name(uint32_t layer, const char* part);  // "layers.3.qkv"

/// All of a decoder's weights; how they are named in StoredWeights:
///   embedding, head, final_norm,
///   layers.N.{attention_norm, qkv, qkv_bias, qk_norm, query_norm, key_norm, output, output_bias,
///             attention_post_norm, mlp_norm, router, gate_up, gate_up_bias, down, down_bias,
///             mlp_post_norm}, as far as the model has them.
/// A qkv or gate_up whose members' formats differ is stored as NAME.0, NAME.1, ... instead.
/// qk_norm is [heads + kv_heads, 1, head_dim]: the query norm for each query head, then the key's.
/// query_norm and key_norm go over all heads at once.
/// Of a layer with experts, gate_up has the rows of all experts' gates and then of their ups, and
/// down has the experts' columns side by side.
class WeightsWriter {
 public:
  WeightsWriter(const Checkpoint& checkpoint, const BakeOptions& options, WeightSink& sink,
                BakeProgress progress);

  /// Takes the place of write_layer() in write(): it must append the same by append_layer().
  void use(LayerWriter layers) { layers_ = std::move(layers); }

  /// Rounds the matrices of these groups with feedback instead of to nearest.
  void round_with(const LayerFeedback& feedback) { feedback_ = &feedback; }

  /// Errors: kCorrupt (a tensor holds NaN or infinity), kIo, kInterrupted.
  Result<StoredWeights> write();

  /// One decoder layer of them. Errors: as write().
  Status write_layer(uint32_t layer);

  /// Appends a layer that another writer wrote into memory.
  Status append_layer(const WeightsWriter& other, std::span<const std::byte> bytes);

  /// Reports that nothing more has been done but time has passed. Errors: kInterrupted.
  Status note_time() { return note_progress(0); }

  const StoredWeights& stored() const { return stored_; }

  /// What was written, by role and format, for the manifest.
  const std::vector<WeightsInfo>& summary() const { return summary_; }

 private:
  Status write_layer_norms(uint32_t layer);
  Status write_group(const MatrixGroup& group, WeightChoice choice, const char* role);
  Status write_matrix(const std::string& name, const std::vector<Band>& bands,
                      const MatrixFormat& format, const char* role);
  Status write_rows(const Band& band, const StoredMatrix& matrix, const ErrorFeedback* feedback,
                    std::vector<std::byte>& scales, std::vector<std::byte>& zeros);
  Status write_biases(const MatrixGroup& group, const char* name);
  Status write_norm(const std::string& name, Weight weight, uint32_t layer);
  Status write_query_key_norm(uint32_t layer);
  Status write_vector(const std::string& name, std::vector<uint64_t> shape,
                      const std::vector<float>& values);
  Status write_blob(const std::string& name, StoredType type, std::vector<uint64_t> shape,
                    std::span<const std::byte> bytes);
  Status note_progress(uint64_t source_bytes);

  std::vector<Band> bands_of(const MatrixGroup& group) const;
  std::vector<float> read_norm(const Tensor& tensor) const;
  WeightChoice choice_of(uint32_t layer, std::string_view part) const;
  WeightChoice router_choice() const;
  MatrixFormat format_of(WeightChoice choice, const Tensor& tensor, bool is_table) const;
  void summarize(const char* role, const MatrixFormat& format, const StoredMatrix& matrix);
  void add_to_summary(const WeightsInfo& info);

  const Checkpoint& checkpoint_;
  const BakeOptions& options_;
  WeightSink& sink_;
  BakeProgress progress_;
  LayerWriter layers_;                       // may be empty
  const LayerFeedback* feedback_ = nullptr;  // may be null
  uint64_t source_bytes_done_ = 0;
  StoredWeights stored_;
  std::vector<WeightsInfo> summary_;
};

}  // namespace ovenbird
