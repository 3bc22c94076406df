// Memory of whole pages that ends where a test says, and bytes of it spoiled one after another.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "base/page_memory.h"
#include "ovenbird/result.hpp"

namespace ovenbird::wire {

/// Zeroed memory that begins with a page; the page behind its last one cannot be touched.
class PageBytes {
 public:
  explicit PageBytes(size_t bytes) : size_(bytes) {
    const size_t whole = round_up_to_page(bytes);
    memory_ = *PageMemory::allocate(whole + round_up_to_page(1), Pages::kPrivate);
    REQUIRE(::mprotect(memory_.bytes().data() + whole, round_up_to_page(1), PROT_NONE) == 0);
  }
  explicit PageBytes(std::span<const std::byte> content) : PageBytes(content.size()) {
    if (!content.empty()) std::memcpy(memory_.bytes().data(), content.data(), content.size());
  }

  std::span<std::byte> bytes() const { return memory_.bytes().first(size_); }

 private:
  size_t size_;
  PageMemory memory_;
};

/// Calls `look` with each byte of `bytes` changed in several ways, one at a time.
template <typename Look>
void for_each_spoiled_byte(std::span<std::byte> bytes, const Look& look) {
  for (std::byte& byte : bytes) {
    const std::byte right = byte;
    for (const int change : {0x01, 0x02, 0x10, 0x80, 0xff}) {
      byte = right ^ static_cast<std::byte>(change);
      look();
    }
    byte = right;
  }
}

template <typename Value>
void check_refusal(const Result<Value>& result, Code code, const std::string& part) {
  REQUIRE(!result);
  CHECK(result.error().code == code);
  CHECK_MESSAGE(result.error().message.find(part) != std::string::npos, result.error().message);
  CHECK(result.error().message.find('\n') == std::string::npos);
}

}  // namespace ovenbird::wire
