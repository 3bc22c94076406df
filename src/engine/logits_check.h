// Whether what a device gave as logits can be logits at all.
#pragma once

#include <cstddef>
#include <span>

#include "ovenbird/result.hpp"

namespace ovenbird {

/// Every row of [rows, vocabulary] must hold finite numbers that are not all the same. A device
/// that fails without saying so gives rows that are not: memory it never wrote, numbers that
/// overflowed. A new row of the cache that is not a number shows too, for a row sees itself: it is
/// not committed. Errors: kBadOutput, naming the row. Cost: one pass over the logits, at the rate
/// of memory.
Status check_logits(std::span<const float> logits, size_t vocabulary);

}  // namespace ovenbird
