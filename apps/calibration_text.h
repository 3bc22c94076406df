// The text that a bake is calibrated with.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ovenbird/result.hpp"
#include "text/tokenizer.h"

namespace ovenbird {

/// Windows of tokens from all over a text file: at most 32 of 256, evenly spread.
/// Errors: kNotFound, kIo; kCorrupt, the file is no UTF-8, has fewer tokens than four windows, or
/// ids that are not below `vocabulary`.
Result<std::vector<std::vector<int32_t>>> calibration_windows(const std::string& file,
                                                              const Tokenizer& tokenizer,
                                                              uint32_t vocabulary);

}  // namespace ovenbird
