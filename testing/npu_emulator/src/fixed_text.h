// Texts in the fixed arrays of the driver's structures.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace npu_emulator {

/// What of `text` there is room for, and its end.
template <size_t bytes>
void fill_text(char (&target)[bytes], std::string_view text) {
  const size_t count = std::min(text.size(), bytes - 1);
  std::copy_n(text.data(), count, target);
  target[count] = '\0';
}

}  // namespace npu_emulator
