// Where the program `ovenbird-engine` is.
#include "engine_path.h"

#include <cstdlib>
#include <system_error>

namespace ovenbird {

std::filesystem::path engine_path() {
  if (const char* named = std::getenv("OVENBIRD_ENGINE"); named && *named) return named;
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return self.parent_path() / "ovenbird-engine";
}

}  // namespace ovenbird
