// Blobs as files: KEY-BYTES-CHECKSUM.blob, where KEY is the first 32 digits of a SHA-256.
#include "engine/blob_cache.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstring>
#include <exception>
#include <fstream>
#include <span>
#include <system_error>
#include <vector>

#include "base/sha256.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBlobEnd = ".blob";
constexpr const char* kStagedEnd = ".tmp";
constexpr std::chrono::hours kStagedFor{1};  // a staged file older than this was left by a crash

std::string prefix_of(const std::string& key) {
  Sha256 hash;
  hash.add(std::as_bytes(std::span(key)));
  return hash.finish().substr(0, 32) + "-";
}

/// FNV-1a over 64-bit words, in four lanes and with a rotation: tells damage, not malice, as fast
/// as memory is read.
uint64_t checksum(std::span<const std::byte> bytes) {
  constexpr uint64_t kPrime = 0x100000001b3;
  std::array<uint64_t, 4> lanes = {1, 2, 3, 4};
  while (bytes.size() >= sizeof lanes) {
    std::array<uint64_t, 4> words;
    std::memcpy(words.data(), bytes.data(), sizeof words);
    for (size_t lane = 0; lane < lanes.size(); ++lane) {
      lanes[lane] = std::rotl((lanes[lane] ^ words[lane]) * kPrime, 29);
    }
    bytes = bytes.subspan(sizeof words);
  }
  uint64_t sum = bytes.size();
  for (const std::byte byte : bytes) sum = (sum ^ std::to_integer<uint64_t>(byte)) * kPrime;
  for (const uint64_t lane : lanes) sum = std::rotl((sum ^ lane) * kPrime, 29);
  return sum;
}

std::string name_of(const std::string& prefix, std::span<const std::byte> blob) {
  std::string digits;
  for (uint64_t sum = checksum(blob), place = 0; place < 16; ++place, sum >>= 4) {
    digits += "0123456789abcdef"[sum & 15];
  }
  return prefix + std::to_string(blob.size()) + "-" + digits + kBlobEnd;
}

std::vector<fs::path> files_in(const fs::path& directory, const std::string& prefix,
                               const char* end) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), last; !error && entry != last;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with(prefix) && name.ends_with(end)) found.push_back(entry->path());
  }
  return found;
}

void remove_abandoned(const fs::path& directory) {
  const auto now = fs::file_time_type::clock::now();
  for (const fs::path& path : files_in(directory, "", kStagedEnd)) {
    std::error_code error;
    const fs::file_time_type written = fs::last_write_time(path, error);
    if (!error && written + kStagedFor < now) fs::remove(path, error);
  }
}

/// Writes the staged file. False if it could not be written in full.
bool write_staged(const fs::path& path, const std::function<void(std::ostream&)>& write) {
  std::ofstream file(path, std::ios::binary);
  if (!file) return false;
  try {
    write(file);
  } catch (const std::exception&) {
    return false;
  }
  file.close();
  return bool(file);
}

}  // namespace

std::optional<MappedFile> BlobCache::find(const std::string& key) const {
  const std::string prefix = prefix_of(key);
  for (const fs::path& path : files_in(directory_, prefix, kBlobEnd)) {
    Result<MappedFile> file = MappedFile::open(path);
    if (file && path.filename() == name_of(prefix, file->bytes())) return std::move(*file);
  }
  return std::nullopt;
}

void BlobCache::store(const std::string& key,
                      const std::function<void(std::ostream&)>& write) const {
  static std::atomic<uint32_t> serial = 0;  // two threads may store one blob at once
  std::error_code error;
  fs::create_directories(directory_, error);
  remove_abandoned(directory_);
  const std::string prefix = prefix_of(key);
  const fs::path staged = directory_ / (prefix + std::to_string(::getpid()) + "-" +
                                        std::to_string(serial++) + kStagedEnd);
  if (write_staged(staged, write)) {
    if (const Result<MappedFile> written = MappedFile::open(staged)) {
      remove(key);
      fs::rename(staged, directory_ / name_of(prefix, written->bytes()), error);
    }
  }
  fs::remove(staged, error);
}

void BlobCache::remove(const std::string& key) const {
  std::error_code ignored;
  for (const fs::path& path : files_in(directory_, prefix_of(key), kBlobEnd)) {
    fs::remove(path, ignored);
  }
}

}  // namespace ovenbird
