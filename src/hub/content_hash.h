// Whether bytes are those that a hub's ETag promises.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace ovenbird {

/// A hub's ETag is the SHA-256 of a large file (64 digits), or git's hash of a small one (40
/// digits: SHA-1 of "blob SIZE\0" and the bytes). Anything else promises nothing but the size.
class ContentHash {
 public:
  ContentHash(std::string etag, uint64_t size);
  ~ContentHash();
  ContentHash(ContentHash&&) noexcept;
  ContentHash& operator=(ContentHash&&) noexcept;

  void add(std::span<const std::byte> bytes);

  /// Whether all bytes have come and are the promised ones. Call once.
  bool is_right();

  /// What `is_right` found: the hash of the bytes, "" without one.
  const std::string& found() const { return found_; }

 private:
  struct State;

  std::string etag_;
  uint64_t size_;
  uint64_t added_ = 0;
  std::string found_;
  std::unique_ptr<State> state_;  // none: no hash
};

}  // namespace ovenbird
