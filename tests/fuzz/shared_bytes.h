// Memory for fuzzers of shared bytes: begins with a page, and a sanitizer sees every byte too many.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>

#include "base/check.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

class SharedBytes {
 public:
  explicit SharedBytes(size_t bytes) : size_(bytes) {
    constexpr size_t kPageBytes = 4096;
    OVENBIRD_CHECK(::posix_memalign(&start_, kPageBytes, bytes + 1) == 0);
    std::memset(start_, 0, bytes + 1);
  }
  SharedBytes(const SharedBytes&) = delete;
  SharedBytes& operator=(const SharedBytes&) = delete;
  ~SharedBytes() { std::free(start_); }

  std::span<std::byte> bytes() const { return {static_cast<std::byte*>(start_), size_}; }

 private:
  void* start_ = nullptr;
  size_t size_;
};

/// An input that is used up from its front; zeros when it is over.
class InputBytes {
 public:
  InputBytes(const uint8_t* data, size_t size) : rest_(data, size) {}

  template <typename Number>
  Number next() {
    Number number{};
    const size_t bytes = std::min(sizeof number, rest_.size());
    if (bytes > 0) std::memcpy(&number, rest_.data(), bytes);
    rest_ = rest_.subspan(bytes);
    return number;
  }
  std::span<const uint8_t> take(size_t bytes) {
    const auto taken = rest_.first(std::min(bytes, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  bool is_over() const { return rest_.empty(); }

  /// Writes 4 bytes at a time over `memory`, at places of the input's choice, until it is over.
  void scribble_on(std::span<std::byte> memory) {
    while (!is_over()) {
      const size_t place = size_t{next<uint16_t>()} * sizeof(uint32_t);
      const auto value = next<uint32_t>();
      if (place + sizeof value <= memory.size()) std::memcpy(&memory[place], &value, sizeof value);
    }
  }

 private:
  std::span<const uint8_t> rest_;
};

/// Opens memory as a `Shared` (a Record, an Arena) and lets `use` read it. As `kind` says: any
/// bytes; a good one, scribbled on while it is open; or scribbled on, or cut, before it is opened.
template <typename Shared, typename Shape, typename Use>
void open_shared(InputBytes& input, uint8_t kind, const Shape& shape, size_t bytes, Use use) {
  enum Kind { kAnyBytes, kScribbledWhileOpen, kScribbledBefore, kCut };
  const auto chosen = static_cast<Kind>(kind % 4);
  const SharedBytes memory(chosen == kAnyBytes ? input.next<uint16_t>()
                                               : bytes - (chosen == kCut ? 1 : 0));
  const std::span<std::byte> place = memory.bytes();
  if (chosen == kAnyBytes) {
    const auto raw = input.take(place.size());
    if (!raw.empty()) std::memcpy(place.data(), raw.data(), raw.size());
  } else {
    const SharedBytes whole(bytes);
    Shared::create(whole.bytes(), shape);
    std::memcpy(place.data(), whole.bytes().data(), place.size());
  }
  if (chosen == kScribbledWhileOpen) {
    const Shared shared = *Shared::open(place);
    input.scribble_on(place);
    return use(shared, place);
  }
  input.scribble_on(place);
  const Result<Shared> shared = Shared::open(place);
  if (shared) return use(*shared, place);
  OVENBIRD_CHECK(!shared.error().message.empty());
  OVENBIRD_CHECK(shared.error().code == Code::kCorrupt ||
                 shared.error().code == Code::kUnsupported);
}

/// Whether `part` lies within `whole`.
template <typename Value>
bool lies_in(std::span<Value> part, std::span<const std::byte> whole) {
  const auto* begin = reinterpret_cast<const std::byte*>(part.data());
  return part.empty() ||
         (begin >= whole.data() && begin + part.size_bytes() <= whole.data() + whole.size());
}

}  // namespace ovenbird
