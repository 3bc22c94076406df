// What a Hugging Face config.json and generation_config.json say about the model.
#pragma once

#include <nlohmann/json.hpp>

#include "checkpoint/model_config.h"
#include "checkpoint/weight_table.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

struct HuggingFaceModel {
  ModelConfig config;
  WeightSet weights;  // which weights the files must hold
};

/// `generation` is null where there is no generation_config.json. Missing keys get the values that
/// transformers gives them. Errors: kUnsupported (by name), kCorrupt.
Result<HuggingFaceModel> hugging_face_model(const nlohmann::json& config,
                                            const nlohmann::json& generation);

}  // namespace ovenbird
