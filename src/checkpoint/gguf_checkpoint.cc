// A GGUF file as a Checkpoint.
#include <cstring>
#include <deque>
#include <utility>

#include "base/mapped_file.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/family.h"
#include "checkpoint/gguf_file.h"
#include "checkpoint/gguf_model.h"
#include "checkpoint/sources.h"
#include "checkpoint/weight_table.h"

namespace ovenbird {
namespace {

bool is_inside(std::span<const std::byte> part, std::span<const std::byte> whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

std::string dtype_of(const std::vector<Tensor>& tensors) {
  const ElementType type = main_type(tensors);
  if (type == ElementType::kF32) return "float32";
  return type == ElementType::kBF16 ? "bfloat16" : "float16";
}

class GgufCheckpoint : public Checkpoint {
 public:
  GgufCheckpoint(MappedFile file, GgufModel model)
      : file_(std::move(file)),
        weights_(std::move(model.weights)),
        tokenizer_(std::move(model.vocabulary)),
        title_(std::move(model.title)) {
    config_ = std::move(model.config);
    if (family_of(config_.architecture).is_interleaved_in_gguf) set_row_order();
  }

  const Tensor* find(Weight weight, uint32_t layer, uint32_t expert) const override {
    return weights_.find(weight, layer, expert);
  }

  void release(const Tensor& tensor) const override {
    if (is_inside(tensor.bytes, file_.bytes())) file_.release(tensor.bytes);
  }

  std::string config_json() const override {
    const auto has = [this](Weight weight) { return weights_.find(weight, 0) != nullptr; };
    return config_json_of(config_, {.dtype = dtype_of(weights_.tensors()),
                                    .attention_bias = has(Weight::kQueryBias),
                                    .mlp_bias = has(Weight::kUpBias)});
  }

  std::string generation_config_json() const override { return generation_config_json_of(config_); }

  const std::variant<TokenizerFiles, GgufVocabulary>& tokenizer() const override {
    return tokenizer_;
  }

  std::string description() const override {
    return title_ + ", " + name_of(main_type(weights_.tensors()));
  }

 private:
  /// Some families keep the rows of queries and keys in another order. Matrices are marked so;
  /// biases are short and put in order here.
  void set_row_order() {
    for (uint32_t layer = 0; layer < config_.layers; ++layer) {
      weights_.find(Weight::kQuery, layer)->interleaved_heads = config_.heads;
      weights_.find(Weight::kKey, layer)->interleaved_heads = config_.kv_heads;
      put_in_order(weights_.find(Weight::kQueryBias, layer), config_.heads);
      put_in_order(weights_.find(Weight::kKeyBias, layer), config_.kv_heads);
    }
  }

  void put_in_order(Tensor* bias, uint32_t heads) {
    if (!bias) return;
    std::vector<float> stored(bias->columns);
    dequantize(bias->type, bias->bytes, stored);
    const Tensor order{.name = {},
                       .type = ElementType::kF32,
                       .rows = bias->columns,
                       .columns = 1,
                       .bytes = {},
                       .interleaved_heads = heads};
    std::vector<float>& ordered = ordered_biases_.emplace_back(stored.size());
    for (size_t row = 0; row < ordered.size(); ++row) ordered[row] = stored[order.stored_row(row)];
    bias->type = ElementType::kF32;
    bias->bytes = std::as_bytes(std::span(ordered));
  }

  MappedFile file_;
  std::deque<std::vector<float>> ordered_biases_;  // before weights_, which points into it
  WeightTable weights_;
  std::variant<TokenizerFiles, GgufVocabulary> tokenizer_;
  std::string title_;
};

}  // namespace

Result<std::unique_ptr<Checkpoint>> open_gguf(MappedFile mapped) {
  if (!is_gguf(mapped.bytes())) {
    return fail(Code::kCorrupt,
                "it is no GGUF file (of a Hugging Face checkpoint, give the directory)");
  }
  auto model = read_gguf_model(mapped.bytes());
  if (!model) return fail_in("read GGUF", model.error());
  return std::unique_ptr<Checkpoint>(
      std::make_unique<GgufCheckpoint>(std::move(mapped), *std::move(model)));
}

}  // namespace ovenbird
