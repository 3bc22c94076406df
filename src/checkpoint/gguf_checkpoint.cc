// A GGUF file as a Checkpoint.
#include <cstring>
#include <deque>
#include <utility>

#include "base/mapped_file.h"
#include "base/message_text.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/gguf_file.h"
#include "checkpoint/gguf_model.h"
#include "checkpoint/sources.h"
#include "checkpoint/weight_table.h"

namespace ovenbird {
namespace {

bool is_inside(std::span<const std::byte> part, std::span<const std::byte> whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

/// What a GGUF has of the optional weights shows in its first layer; the others must agree.
WeightSet weights_of(const GgufFile& file, const ModelConfig& config) {
  WeightSet wanted = plain_weights(config);
  for (const Weight bias :
       {Weight::kQueryBias, Weight::kKeyBias, Weight::kValueBias, Weight::kOutputBias,
        Weight::kGateBias, Weight::kUpBias, Weight::kDownBias}) {
    const std::string name = weight_name(NameStyle::kGguf, bias, 0);
    for (const StoredTensor& tensor : file.tensors) {
      if (tensor.name == name) wanted[static_cast<size_t>(bias)] = true;
    }
  }
  return wanted;
}

std::string dtype_of(const std::vector<Tensor>& tensors) {
  const ElementType type = main_type(tensors);
  if (type == ElementType::kF32) return "float32";
  return type == ElementType::kBF16 ? "bfloat16" : "float16";
}

class GgufCheckpoint : public Checkpoint {
 public:
  GgufCheckpoint(MappedFile file, ModelConfig config, WeightTable weights,
                 GgufVocabulary vocabulary, std::string name)
      : file_(std::move(file)),
        weights_(std::move(weights)),
        tokenizer_(std::move(vocabulary)),
        name_(std::move(name)) {
    config_ = std::move(config);
    if (config_.architecture == Architecture::kLlama) set_row_order();
  }

  const Tensor* find(Weight weight, uint32_t layer) const override {
    return weights_.find(weight, layer);
  }

  void release(const Tensor& tensor) const override {
    if (is_inside(tensor.bytes, file_.bytes())) file_.release(tensor.bytes);
  }

  std::string config_json() const override {
    const auto has = [this](Weight weight) { return find(weight, 0) != nullptr; };
    return config_json_of(config_, {.dtype = dtype_of(weights_.tensors()),
                                    .attention_bias = has(Weight::kQueryBias),
                                    .mlp_bias = has(Weight::kUpBias)});
  }

  std::string generation_config_json() const override { return generation_config_json_of(config_); }

  const std::variant<TokenizerFiles, GgufVocabulary>& tokenizer() const override {
    return tokenizer_;
  }

  std::string description() const override {
    return name_ + ", " + name_of(main_type(weights_.tensors()));
  }

 private:
  /// GGUF's llama keeps the rows of queries and keys in another order. Matrices are marked so;
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
  std::string name_;
};

/// "GGUF v3, SmolLM2 135M Instruct"
std::string title_of(GgufFile& file) {
  std::string title = "GGUF v" + std::to_string(file.version);
  if (const auto name = file.metadata.text("general.name")) title += ", " + printable(*name);
  return title;
}

}  // namespace

Result<std::unique_ptr<Checkpoint>> open_gguf(MappedFile mapped) {
  if (!is_gguf(mapped.bytes())) {
    return fail(Code::kCorrupt,
                "it is no GGUF file (of a Hugging Face checkpoint, give the directory)");
  }
  auto file = read_gguf(mapped.bytes());
  if (!file) return fail_in("read GGUF", file.error());
  auto vocabulary = gguf_vocabulary(file->metadata);
  if (!vocabulary) return fail_in("read GGUF", vocabulary.error());
  auto config = gguf_model_config(*file, *vocabulary);
  if (!config) return fail_in("read GGUF", config.error());
  std::string title = title_of(*file);
  if (file->metadata.fault()) return fail_in("read GGUF", *file->metadata.fault());
  const WeightSet wanted = weights_of(*file, *config);
  auto weights = WeightTable::bind(*config, wanted, NameStyle::kGguf, std::move(file->tensors));
  if (!weights) return fail_in("read GGUF", weights.error());
  return std::unique_ptr<Checkpoint>(
      std::make_unique<GgufCheckpoint>(std::move(mapped), *std::move(config), *std::move(weights),
                                       *std::move(vocabulary), std::move(title)));
}

}  // namespace ovenbird
