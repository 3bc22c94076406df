// JSON from outside: bounded in size and depth, and no exception gets out.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/limits.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

enum class DuplicateKeys { kLastWins, kRefuse };

struct JsonRules {
  size_t bytes_max = limits::kJsonBytesMax;
  size_t depth_max = limits::kJsonDepthMax;  // arrays and objects inside one another
  DuplicateKeys duplicate_keys = DuplicateKeys::kLastWins;
};

/// Parses one JSON document (RFC 8259). A UTF-8 byte order mark in front is skipped. Stops reading
/// at the first fault, so a deep document costs nothing.
///
/// Errors: kCorrupt: syntax, invalid UTF-8, a lone surrogate, a number that no double can hold,
/// more than `rules` allow. The message says at which byte; put the file's name in front of it.
Result<nlohmann::json> parse_json(std::string_view text, const JsonRules& rules = {});

}  // namespace ovenbird
