// A blob that is still coming: ETAG.incomplete, which another run may go on with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "base/file_descriptor.h"
#include "hub/content_hash.h"
#include "hub/hub_client.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// Only who holds the blob's lock may have one.
class PartialBlob {
 public:
  /// Opens `path`, and takes over what an earlier run has left there: reads it once, for the hash.
  /// Errors: kIo.
  static Result<PartialBlob> open(const std::filesystem::path& path, const FileFacts& facts);

  /// Bytes that are there. The next ones go behind them.
  uint64_t bytes() const { return bytes_; }
  bool is_whole() const { return bytes_ == facts_.size; }

  /// Errors: kIo: the disk is full, or worse; kCorrupt: more than the file has.
  Status append(std::span<const std::byte> bytes);

  /// Begins again with nothing. Errors: kIo.
  Status restart();

  /// Makes it the blob `path`, with its bytes on the disk. Call once, when it is whole.
  /// Errors: kCorrupt: they are not what the ETag promises; they are gone then. kIo.
  Status become(const std::filesystem::path& path);

 private:
  PartialBlob(FileDescriptor file, std::filesystem::path path, const FileFacts& facts);

  Status take_over();
  Failure failed(const std::string& what) const;

  FileDescriptor file_;
  std::filesystem::path path_;
  FileFacts facts_;
  ContentHash hash_;
  uint64_t bytes_ = 0;
};

}  // namespace ovenbird
