// Compiled blobs kept between starts, in the bundle's cache/ directory.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <ostream>
#include <string>

#include "base/mapped_file.h"

namespace ovenbird {

/// One directory of blobs. A blob's file name carries a hash of everything it depends on, its size
/// and a checksum, so that one that does not fit, was cut off or damaged is simply not found: a
/// device trusts its blobs, and runs on a damaged one into a crash or into nonsense. Files appear
/// whole (written beside, then renamed); any number of processes may share the directory.
class BlobCache {
 public:
  explicit BlobCache(std::filesystem::path directory) : directory_(std::move(directory)) {}

  /// The blob of `key` (any text), mapped; none if there is none. Reads it once: 10 ms for 60 MB.
  std::optional<MappedFile> find(const std::string& key) const;

  /// Writes a blob over any other of that key; `write` gets the stream. A cache that cannot be
  /// written, or a `write` that throws, is no error: the next start compiles again.
  void store(const std::string& key, const std::function<void(std::ostream&)>& write) const;

  /// Removes the blob of `key`: it could not be used.
  void remove(const std::string& key) const;

 private:
  std::filesystem::path directory_;
};

}  // namespace ovenbird
