// Starting this program once more, with other arguments, to hear what it says.
#pragma once

#include <string>
#include <vector>

#include "ovenbird/result.hpp"

namespace ovenbird {

/// What `ovenbird-engine ARGUMENTS` writes to standard output; its standard error is this one's.
/// Blocks until it ends. Errors: kIo (it does not start), or the code that stands for its exit
/// code; its own words are on standard error then.
Result<std::string> output_of_engine(const std::vector<std::string>& arguments);

}  // namespace ovenbird
