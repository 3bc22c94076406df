// Which files of a repository are downloaded: what bake reads, and no more.
#pragma once

#include <string>
#include <vector>

#include "hub/model_name.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

struct FileChoice {
  std::vector<std::string> small;    // descriptions and tokenizer; the index of the weights, if any
  std::vector<std::string> weights;  // as far as they are known without the index
  std::string index;                 // names the other files of weights; empty: there are none
};

/// Out of all `names` of a repository: `model.file`, else safetensors (one file, or an index and
/// the shards that it names), else a model of OpenVINO.
/// Errors: kNotFound, kUnsupported: nothing that can be baked; the message lists the GGUFs that
/// might be named.
Result<FileChoice> choose_files(const std::vector<std::string>& names, const ModelName& model);

/// The shards that an index (model.safetensors.index.json) names; all are in `names`.
/// Errors: kCorrupt.
Result<std::vector<std::string>> shards_of(const std::string& index,
                                           const std::vector<std::string>& names);

}  // namespace ovenbird
