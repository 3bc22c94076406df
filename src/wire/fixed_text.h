// Texts and error codes in places of fixed size: written and read in one way.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "ovenbird/result.hpp"

namespace ovenbird::wire {

/// Writes as much of `text` as there is room for before the final zero; the rest stays as it is.
template <size_t Size>
void put_text(const std::string& text, std::array<char, Size>& place) {
  text.copy(place.data(), Size - 1);
}

/// Up to the first zero, or all of it where there is none.
template <size_t Size>
std::string text_in(const std::array<char, Size>& place) {
  return {place.begin(), std::find(place.begin(), place.end(), '\0')};
}

/// A code that another process has written; kInternal where there is no such code.
inline Code code_of(uint32_t number) {
  return number <= static_cast<uint32_t>(Code::kBusy) ? static_cast<Code>(number) : Code::kInternal;
}

}  // namespace ovenbird::wire
