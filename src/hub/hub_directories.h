// Where the programs of the hub keep their things on this machine.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <string>

namespace ovenbird {

/// The first of these environment variables that is set and not empty; "" if none is.
std::string environment(std::initializer_list<const char*> names);

/// `path`, with the user's home in the place of "~".
std::filesystem::path with_home(const std::string& path);

/// HF_HOME, or "huggingface" in XDG_CACHE_HOME or ~/.cache.
std::filesystem::path hugging_face_home();

/// HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, or "hub" in hugging_face_home().
std::filesystem::path hub_cache_root();

}  // namespace ovenbird
