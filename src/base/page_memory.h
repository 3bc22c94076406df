// Zeroed memory by the page: what graphs are bound to.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "ovenbird/result.hpp"

namespace ovenbird {

/// Owns a mapping of shared memory that has no name: what an NPU imports here are the same pages
/// that another process could map. Pages take no memory until they are written. Moving it does not
/// move the bytes.
class PageMemory {
 public:
  /// Errors: kIo (the address space or the process's limit is used up).
  static Result<PageMemory> allocate(size_t bytes);

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
