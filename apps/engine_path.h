// Where the program `ovenbird-engine` is.
#pragma once

#include <filesystem>

namespace ovenbird {

/// $OVENBIRD_ENGINE, or the file beside this program. It need not be there.
std::filesystem::path engine_path();

}  // namespace ovenbird
