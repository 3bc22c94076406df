// Zeroed memory by the page: what graphs are bound to.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "ovenbird/result.hpp"

namespace ovenbird {

/// Whose pages they may be. Until they are written, private ones read as one and the same page of
/// zeros, which costs neither memory nor bandwidth; shared ones are made as soon as they are read.
enum class Pages { kPrivate, kShared };

/// Owns a mapping without a name. Moving it does not move the bytes.
class PageMemory {
 public:
  /// Errors: kIo (the address space or the process's limit is used up).
  static Result<PageMemory> allocate(size_t bytes, Pages pages);

  PageMemory() = default;
  PageMemory(PageMemory&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  PageMemory& operator=(PageMemory&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~PageMemory();

  std::span<std::byte> bytes() const { return bytes_; }

 private:
  explicit PageMemory(std::span<std::byte> bytes) : bytes_(bytes) {}
  std::span<std::byte> bytes_;
};

/// The next multiple of the page size.
size_t round_up_to_page(size_t bytes);

}  // namespace ovenbird
