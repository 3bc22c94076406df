// A model that some program has downloaded already. Nothing here knows of a network.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "hub/hub_cache.h"
#include "hub/model_name.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// The file of `model` in the snapshot `commit`, or the snapshot's directory.
std::filesystem::path source_path(const HubCache& cache, const ModelName& model,
                                  const std::string& commit);

/// Where `model` lies in the cache, whatever is there of it: a tokenizer alone will do for some.
/// Errors: kNotFound: no snapshot, or not the file.
Result<std::filesystem::path> find_cached_files(const HubCache& cache, const ModelName& model);

/// Where `model` lies in the cache, if every file that its weights need is there.
/// Errors: kNotFound, and what choose_files() finds wrong.
Result<std::filesystem::path> find_cached_model(const HubCache& cache, const ModelName& model);

/// The files of weights that are still unknown without the index; reads it from the snapshot.
/// Errors: kCorrupt, kIo.
Result<std::vector<std::string>> indexed_weights(const HubCache& cache, const std::string& commit,
                                                 const std::string& index,
                                                 const std::vector<std::string>& names);

}  // namespace ovenbird
