// The room's door: a model of a hub, in the cache when this returns.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include "hub/hub_settings.h"
#include "hub/model_name.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// A file whose bytes are in the cache now, and were not before.
struct FetchedFile {
  std::string name;
  uint64_t bytes = 0;
};

struct FetchProgress {
  uint64_t bytes_come = 0;               // of `bytes_total`
  uint64_t bytes_total = 0;              // to come; grows once, when the weights are known
  std::span<const FetchedFile> fetched;  // since the last time
};

struct FetchJob {
  ModelName model;
  HubSettings settings;
  /// Called about ten times a second in the caller's thread; false ends the download, and what has
  /// come is kept.
  std::function<bool(const FetchProgress&)> progress;
};

struct FetchedModel {
  std::filesystem::path path;  // a GGUF, or a directory
  std::string note;  // why the hub was not asked, though it should have been; empty: it was
};

/// Downloads what bake reads of a model and is not in the cache, into the cache: weights last, each
/// file whole and checked or not at all under its name. If the hub cannot be asked and the cache
/// has the model, that is the answer, with a note. A commit that is in the cache needs no hub.
///
/// Errors: kNotFound: no such model, revision or file, or it may not be read; kUnsupported: nothing
/// in it can be baked; kIo: network, disk; kCorrupt: the hub tells nonsense; kInterrupted.
Result<FetchedModel> fetch_model(const FetchJob& job);

}  // namespace ovenbird
