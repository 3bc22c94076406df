// Rows of a stored matrix from the tensors that they come from, on all processors.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "bake/error_feedback.h"
#include "bake/quantize.h"
#include "bake/stored_weights.h"
#include "checkpoint/checkpoint.h"

namespace ovenbird {

/// Tensors of one shape and type whose rows stand side by side; mostly there is one.
using Band = std::vector<const Tensor*>;

uint64_t columns_of(const Band& band);

/// Converts rows of a band, from `first` on and as many as `sink` has room for, to the matrix's
/// format. What the source has in that format already is kept, not rounded again; else `feedback`
/// rounds, if there is any. Returns the first row that holds NaN, infinity, or more than the format
/// can.
std::optional<uint64_t> convert_rows(const Band& band, const StoredMatrix& matrix,
                                     const ErrorFeedback* feedback, uint64_t first,
                                     const RowSink& sink);

}  // namespace ovenbird
