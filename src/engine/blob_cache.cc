// Blobs as files: KEY-BYTES.blob, where KEY is the first 32 digits of a SHA-256.
#include "engine/blob_cache.h"

#include <unistd.h>

#include <fstream>
#include <span>
#include <system_error>

#include "base/sha256.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

std::string prefix_of(const std::string& key) {
  Sha256 hash;
  hash.add(std::as_bytes(std::span(key)));
  return hash.finish().substr(0, 32) + "-";
}

}  // namespace

std::optional<fs::path> BlobCache::path_of(const std::string& key) const {
  std::error_code ignored;
  const std::string prefix = prefix_of(key);
  for (const fs::directory_entry& entry : fs::directory_iterator(directory_, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix)) continue;
    if (name == prefix + std::to_string(entry.file_size(ignored)) + ".blob") return entry.path();
  }
  return std::nullopt;
}

std::optional<MappedFile> BlobCache::find(const std::string& key) const {
  const std::optional<fs::path> path = path_of(key);
  if (!path) return std::nullopt;
  Result<MappedFile> file = MappedFile::open(*path);
  if (!file) return std::nullopt;
  return std::move(*file);
}

void BlobCache::store(const std::string& key,
                      const std::function<void(std::ostream&)>& write) const {
  std::error_code error;
  fs::create_directories(directory_, error);
  const fs::path staged = directory_ / (prefix_of(key) + std::to_string(::getpid()) + ".tmp");
  std::ofstream file(staged, std::ios::binary);
  if (!file) return;
  write(file);
  file.close();
  const uintmax_t bytes = fs::file_size(staged, error);
  if (!file || error) {
    fs::remove(staged, error);
    return;
  }
  fs::rename(staged, directory_ / (prefix_of(key) + std::to_string(bytes) + ".blob"), error);
  if (error) fs::remove(staged, error);
}

void BlobCache::remove(const std::string& key) const {
  std::error_code ignored;
  if (const auto path = path_of(key)) fs::remove(*path, ignored);
}

}  // namespace ovenbird
