// What every refused checkpoint must look like.
#pragma once

#include <string>

#include <doctest/doctest.h>

#include "checkpoint/checkpoint.h"

namespace ovenbird {

/// One line for a human, not too long, whatever the file held.
inline bool is_one_line(const std::string& message) {
  if (message.empty() || message.size() > 1000) return false;
  for (const char c : message) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte == 0x7f) return false;
  }
  return true;
}

/// Checks that opening `path` fails with `code` and says `words`.
inline void check_refused(const std::filesystem::path& path, Code code, const std::string& words) {
  const auto opened = open_checkpoint(path);
  REQUIRE(!opened.has_value());
  INFO(opened.error().message);
  CHECK(opened.error().code == code);
  CHECK(is_one_line(opened.error().message));
  CHECK(opened.error().message.find(words) != std::string::npos);
}

}  // namespace ovenbird
