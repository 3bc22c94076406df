// The environment variables that name directories.
#include "hub/hub_directories.h"

#include <cstdlib>

namespace ovenbird {
namespace {

std::filesystem::path home_directory() { return environment({"HOME"}); }

}  // namespace

std::string environment(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (const char* value = std::getenv(name); value && *value) return value;
  }
  return "";
}

std::filesystem::path with_home(const std::string& path) {
  if (path == "~") return home_directory();
  return path.starts_with("~/") ? home_directory() / path.substr(2) : std::filesystem::path(path);
}

std::filesystem::path hugging_face_home() {
  if (const std::string home = environment({"HF_HOME"}); !home.empty()) return with_home(home);
  const std::string caches = environment({"XDG_CACHE_HOME"});
  return (caches.empty() ? home_directory() / ".cache" : with_home(caches)) / "huggingface";
}

std::filesystem::path hub_cache_root() {
  const std::string cache = environment({"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"});
  return cache.empty() ? hugging_face_home() / "hub" : with_home(cache);
}

}  // namespace ovenbird
