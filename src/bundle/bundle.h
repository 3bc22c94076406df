// An opened bundle: its manifest, and its files checked to be there in full.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "bundle/manifest.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

class Bundle {
 public:
  /// Accepts the bundle's directory or a path to an .xml inside it. Checks that every file of the
  /// manifest is there and as long as it says; hashes are left to verify().
  /// Errors: kNotFound (no directory, or no manifest in it), kCorrupt (naming the file),
  /// kUnsupported (a newer format), kIo.
  static Result<Bundle> open(const std::filesystem::path& path);

  /// Compares the SHA-256 of every file; reads all bytes. Errors: kCorrupt naming the file, kIo.
  Status verify() const;

  /// SHA-256 of the manifest, in which those of all other files stand: tells one bundle from
  /// another. Errors: kIo.
  Result<std::array<std::byte, 32>> digest() const;

  const std::filesystem::path& directory() const { return directory_; }
  const Manifest& manifest() const { return manifest_; }
  std::filesystem::path file(const std::string& name) const { return directory_ / name; }
  /// Where compiled blobs are kept: made on the target, not part of the manifest.
  std::filesystem::path cache_directory() const { return directory_ / "cache"; }

 private:
  Bundle(std::filesystem::path directory, Manifest manifest)
      : directory_(std::move(directory)), manifest_(std::move(manifest)) {}

  std::filesystem::path directory_;
  Manifest manifest_;
};

}  // namespace ovenbird
