// A whole file, mapped read-only: the way every large input comes in.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "ovenbird/result.hpp"

namespace ovenbird {

/// Owns a read-only private mapping. Moving it does not move the bytes.
class MappedFile {
 public:
  /// Maps a regular file. Directories, devices and pipes are refused, so that no input can block or
  /// be endless. An empty file maps to an empty span.
  /// Errors: kNotFound (no such file), kIo (not a regular file, or the system refuses).
  static Result<MappedFile> open(const std::filesystem::path& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }

  /// Tells the system that `part` of bytes() is not needed for now, so that reading a large file
  /// from front to back keeps few of its pages in memory. The bytes stay readable.
  void release(std::span<const std::byte> part) const;

 private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::span<const std::byte> bytes_;
};

}  // namespace ovenbird
