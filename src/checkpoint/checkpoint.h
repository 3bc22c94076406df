// Stage 1, checkpoint. In: a file or directory that nobody has checked. Out: one Checkpoint, whose
// every tensor is known to lie inside the file, with the shape its model needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/gguf_vocabulary.h"
#include "checkpoint/model_config.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// How the numbers of a tensor are stored. The kQ types are GGUF's blocks.
enum class ElementType {
  kF32,
  kF16,
  kBF16,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ4_K,
  kQ5_K,
  kQ6_K
};

const char* name_of(ElementType type);  // "F32", "Q4_1", ...

/// A block is the smallest run of numbers that is stored on its own.
struct BlockLayout {
  uint32_t elements;  // 1 for the plain types
  uint32_t bytes;
};
BlockLayout block_layout(ElementType type);

/// Which weight of a decoder a tensor is.
enum class Weight {
  // Once.
  kEmbedding,
  kFinalNorm,
  kHead,
  // In every layer; which norms and biases there are depends on the family. A layer with experts
  // has a router, and gate, up and down once for each expert.
  kAttentionNorm,
  kQuery,
  kKey,
  kValue,
  kOutput,
  kQueryBias,
  kKeyBias,
  kValueBias,
  kOutputBias,
  kQueryNorm,
  kKeyNorm,
  kMlpNorm,
  kGate,
  kUp,
  kDown,
  kGateBias,
  kUpBias,
  kDownBias,
  kAttentionPostNorm,
  kMlpPostNorm,
  kRouter,
};

/// A view of a weight matrix `[rows, columns]` = [outputs, inputs] (a vector: rows = 1) inside a
/// mapped file. Rows are contiguous and a whole number of blocks; `bytes` need not be aligned.
struct Tensor {
  std::string name;  // as the source calls it
  ElementType type = ElementType::kF32;
  uint64_t rows = 0;
  uint64_t columns = 0;
  std::span<const std::byte> bytes;
  /// A GGUF of llama or its kin stores the rows of each query/key head for interleaved rotation. If
  /// not 0, there are so many heads in the rows, and row r of the model is row `stored_row(r)` of
  /// the bytes. Only of matrices: biases always come in the model's order.
  uint32_t interleaved_heads = 0;

  uint64_t row_bytes() const;
  uint64_t stored_row(uint64_t row) const;
  std::span<const std::byte> row(uint64_t row) const;  // the model's order
};

/// Dequantizes one stored row (`Tensor::row`) to f32, `out` = [columns].
void dequantize(ElementType type, std::span<const std::byte> row, std::span<float> out);

/// The tokenizer of a Hugging Face directory: whole files, as text; empty = no such file.
struct TokenizerFiles {
  std::string tokenizer_json;
  std::string tokenizer_config_json;
  std::string chat_template;  // chat_template.jinja
};

/// An opened source. Immutable; keeps its files mapped.
class Checkpoint {
 public:
  virtual ~Checkpoint() = default;

  const ModelConfig& config() const { return config_; }

  /// Null if the model has no such weight. `layer` is ignored for the weights that exist once,
  /// `expert` for those that are not an expert's.
  virtual const Tensor* find(Weight weight, uint32_t layer = 0, uint32_t expert = 0) const = 0;

  /// Lets the system drop the pages behind a tensor that has been used.
  virtual void release(const Tensor& tensor) const = 0;

  /// The source's config.json; for a GGUF one made from its metadata, as transformers would.
  virtual std::string config_json() const = 0;
  /// The source's generation_config.json or one made from the metadata.
  virtual std::string generation_config_json() const = 0;

  virtual const std::variant<TokenizerFiles, GgufVocabulary>& tokenizer() const = 0;

  /// One line for the manifest: what was read, e.g. "GGUF v3, SmolLM2 135M Instruct, Q4_1".
  virtual std::string description() const = 0;

 protected:
  ModelConfig config_;
};

/// Opens a `.gguf` file or a Hugging Face directory (config.json + *.safetensors).
/// Reads headers only; allocates in proportion to what the files really hold.
/// Errors: kNotFound, kIo; kCorrupt (the file breaks its format, or weights and config disagree);
/// kUnsupported (architecture, tensor type, rope scaling, ... by name, with what is supported).
Result<std::unique_ptr<Checkpoint>> open_checkpoint(const std::filesystem::path& path);

}  // namespace ovenbird
