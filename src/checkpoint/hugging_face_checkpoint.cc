// A Hugging Face directory as a Checkpoint.
#include <nlohmann/json.hpp>
#include <utility>

#include "checkpoint/checkpoint.h"
#include "checkpoint/family.h"
#include "checkpoint/hugging_face_config.h"
#include "checkpoint/hugging_face_files.h"
#include "checkpoint/hugging_face_texts.h"
#include "checkpoint/sources.h"
#include "checkpoint/weight_table.h"

namespace ovenbird {
namespace {

class HuggingFaceCheckpoint : public Checkpoint {
 public:
  HuggingFaceCheckpoint(std::vector<MappedFile> files, ModelConfig config, WeightTable weights,
                        ConfigTexts texts, TokenizerFiles tokenizer)
      : files_(std::move(files)),
        weights_(std::move(weights)),
        texts_(std::move(texts)),
        tokenizer_(std::move(tokenizer)) {
    config_ = std::move(config);
  }

  const Tensor* find(Weight weight, uint32_t layer, uint32_t expert) const override {
    return weights_.find(weight, layer, expert);
  }

  void release(const Tensor& tensor) const override {
    for (const MappedFile& file : files_) {
      if (tensor.bytes.data() < file.bytes().data()) continue;
      if (tensor.bytes.data() >= file.bytes().data() + file.bytes().size()) continue;
      file.release(tensor.bytes);
    }
  }

  std::string config_json() const override { return texts_.config; }
  std::string generation_config_json() const override { return texts_.generation; }

  const std::variant<TokenizerFiles, GgufVocabulary>& tokenizer() const override {
    return tokenizer_;
  }

  std::string description() const override {
    const std::string files =
        files_.size() == 1 ? "1 file" : std::to_string(files_.size()) + " files";
    return "safetensors, " + std::string(name_of(config_.architecture)) + ", " +
           name_of(main_type(weights_.tensors())) + ", " + files;
  }

 private:
  std::vector<MappedFile> files_;
  WeightTable weights_;
  ConfigTexts texts_;
  std::variant<TokenizerFiles, GgufVocabulary> tokenizer_;
};

Result<HuggingFaceModel> read_model(const ConfigTexts& texts) {
  const auto parsed = parse_config_texts(texts);
  if (!parsed) return Failure{parsed.error()};
  return hugging_face_model(parsed->config, parsed->generation);
}

}  // namespace

Result<std::unique_ptr<Checkpoint>> open_hugging_face(const std::filesystem::path& directory) {
  auto texts = read_config_texts(directory);
  if (!texts) return Failure{texts.error()};
  auto model = read_model(*texts);
  if (!model) return Failure{model.error()};
  auto opened = open_safetensors(directory);
  if (!opened) return Failure{opened.error()};
  auto weights = WeightTable::bind(model->config, model->weights, NameStyle::kHuggingFace,
                                   std::move(opened->tensors));
  if (!weights) return Failure{weights.error()};
  auto tokenizer = read_tokenizer_files(directory);
  if (!tokenizer) return Failure{tokenizer.error()};
  return std::unique_ptr<Checkpoint>(std::make_unique<HuggingFaceCheckpoint>(
      std::move(opened->files), std::move(model->config), *std::move(weights), *std::move(texts),
      *std::move(tokenizer)));
}

}  // namespace ovenbird
