// Where weights are appended: the bundle's file, or memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "bundle/bundle_writer.h"

namespace ovenbird {

class WeightSink {
 public:
  virtual ~WeightSink() = default;
  /// Errors: kIo (disk full, ...), naming the file.
  virtual Status append(std::span<const std::byte> bytes) = 0;
  virtual uint64_t bytes() const = 0;

  /// Appends zeros up to the next multiple of `alignment`.
  Status align(uint64_t alignment) {
    const uint64_t rest = bytes() % alignment;
    return rest == 0 ? ok() : append(std::vector<std::byte>(alignment - rest));
  }
};

class FileSink : public WeightSink {
 public:
  explicit FileSink(BundleFile& file) : file_(file) {}
  Status append(std::span<const std::byte> bytes) override { return file_.append(bytes); }
  uint64_t bytes() const override { return file_.bytes(); }

 private:
  BundleFile& file_;
};

class MemorySink : public WeightSink {
 public:
  Status append(std::span<const std::byte> bytes) override {
    content_.insert(content_.end(), bytes.begin(), bytes.end());
    return ok();
  }
  uint64_t bytes() const override { return content_.size(); }
  std::span<const std::byte> content() const { return content_; }
  std::vector<std::byte> take() { return std::move(content_); }

 private:
  std::vector<std::byte> content_;
};

}  // namespace ovenbird
