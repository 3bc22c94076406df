// A source that may have to be downloaded first, with progress on standard error.
#pragma once

#include <optional>
#include <string>

#include "ovenbird/result.hpp"
#include "source.h"

namespace ovenbird {

/// `source` is a path, or a model of the hub: "OWNER/NAME", with "@REVISION" or ":FILE.gguf". What
/// the cache lacks of it is downloaded. `revision` is the same as "@REVISION".
/// Errors: as of find_source() and fetch_model(); kInvalidArgument: two revisions, or one of a
/// path. Ends with kInterrupted when a signal has come (interrupt.h).
Result<Source> fetch_source(const std::string& source, const std::optional<std::string>& revision);

}  // namespace ovenbird
