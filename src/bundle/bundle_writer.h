// Writes a bundle so that it exists whole or not at all, whenever the writer is killed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_descriptor.h"
#include "base/sha256.h"
#include "bundle/manifest.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// One file of the bundle, written front to back; its hash grows along.
class BundleFile {
 public:
  /// Errors: kIo (disk full, ...), naming the file.
  Status append(std::span<const std::byte> bytes);
  Status append(std::string_view text) { return append(std::as_bytes(std::span(text))); }
  /// Appends zeros up to the next multiple of `alignment`.
  Status align(uint64_t alignment);
  /// Makes all appended bytes readable through path(); more may be appended after it.
  Status flush();

  uint64_t bytes() const { return bytes_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  friend class BundleWriter;
  BundleFile(std::filesystem::path path, FileDescriptor file);
  Status write(std::span<const std::byte> bytes);

  std::filesystem::path path_;
  FileDescriptor file_;
  std::vector<std::byte> buffer_;
  uint64_t bytes_ = 0;
  uint64_t written_ = 0;  // of bytes_, what the system has
  uint64_t begun_ = 0;    // ... and what the disk was told to begin with
  Sha256 hash_;
};

/// Collects files in a hidden directory beside the target, `.NAME.baking-XXXXXX`, which commit()
/// renames into place. Destroyed without commit, it removes that directory; killed, it leaves it,
/// and the next BundleWriter for the same target removes it (a live one is known by its lock).
class BundleWriter {
 public:
  /// Errors: kInvalidArgument (target exists and `replace` is false, or is not a bundle), kIo.
  static Result<BundleWriter> create(const std::filesystem::path& target, bool replace);

  BundleWriter(BundleWriter&&) noexcept = default;
  BundleWriter& operator=(BundleWriter&&) = delete;
  ~BundleWriter();

  Result<BundleFile> add(const std::string& name);
  /// Syncs the file and notes its size and hash for the manifest.
  Status close(BundleFile file);
  /// add, append and close in one.
  Status add_whole(const std::string& name, std::string_view content);

  /// Completes `manifest` with the files, writes it, syncs, and renames the bundle into place.
  Status commit(Manifest manifest);

 private:
  BundleWriter(std::filesystem::path target, bool replace, std::filesystem::path staging,
               FileDescriptor lock);

  std::filesystem::path target_;
  bool replace_;
  std::filesystem::path staging_;  // empty once committed
  FileDescriptor lock_;
  std::vector<FileInfo> files_;
};

}  // namespace ovenbird
