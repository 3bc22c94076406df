// The devices there may be, the best one first.
#pragma once

#include <string>
#include <vector>

#include "ovenbird/result.hpp"

namespace ovenbird {

/// The devices to try in turn: from `device` on, or all of them for "auto".
/// Errors: kInvalidArgument (there is no such device).
Result<std::vector<std::string>> devices_from(const std::string& device);

}  // namespace ovenbird
