// The bundle's config.json: the source's, made to say what a bundle is.
#pragma once

#include <string>
#include <string_view>

#include "ovenbird/result.hpp"

namespace ovenbird {

/// `source` with "use_cache": false, whatever it said; all else and its order stay.
/// Errors: kCorrupt (not a JSON object, or one of absurdly many keys).
Result<std::string> config_without_cache(std::string_view source);

}  // namespace ovenbird
