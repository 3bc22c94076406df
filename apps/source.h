// Where a source lies: a path as it is, or a model of the hub that is in the cache.
#pragma once

#include <filesystem>
#include <string>

#include "hub/model_name.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

struct Source {
  std::filesystem::path path;
  std::string name;  // fit for a directory's name: the file without .gguf, or the id without owner
};

/// `source` is an existing file or directory, or the name of a model such as "Qwen/Qwen3-0.6B" that
/// lies in the hub's cache, whole or in part. Nothing is downloaded. Errors: kNotFound, with what
/// to do.
Result<Source> find_source(const std::string& source);

/// The same for a path alone. Errors: kNotFound.
Result<Source> find_path(const std::string& source);

/// What a bundle of this model is called.
std::string name_of_model(const ModelName& model);

}  // namespace ovenbird
