// The lock that programs of the hub hold while they write a blob.
#pragma once

#include <atomic>
#include <filesystem>
#include <utility>

#include "base/file_descriptor.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// Held as long as it lives; also given up when the process ends, however that happens.
class FileLock {
 public:
  /// Waits until nobody else holds it, or `stop` is set.
  /// Errors: kIo; kInterrupted: `stop` was set first.
  static Result<FileLock> take(const std::filesystem::path& path, const std::atomic<bool>& stop);

 private:
  explicit FileLock(FileDescriptor file) : file_(std::move(file)) {}

  FileDescriptor file_;
};

}  // namespace ovenbird
