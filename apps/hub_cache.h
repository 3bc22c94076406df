// Where a source lies: a path as it is, or a Hugging Face id that some program has downloaded.
#pragma once

#include <filesystem>
#include <string>

#include "ovenbird/result.hpp"

namespace ovenbird {

struct Source {
  std::filesystem::path path;
  std::string name;  // fit for a directory's name: the file without .gguf, or the id without owner
};

/// `source` is an existing file or directory, or an id such as "Qwen/Qwen3-0.6B" with a snapshot
/// in the hub cache (HF_HUB_CACHE, HF_HOME/hub, or ~/.cache/huggingface/hub). Nothing is
/// downloaded. Errors: kNotFound, with how to get the files.
Result<Source> find_source(const std::string& source);

}  // namespace ovenbird
