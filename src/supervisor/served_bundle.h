// A bundle as its supervisor needs it: facts, and the shape of the arena for it.
#pragma once

#include <string>
#include <vector>

#include "ovenbird/result.hpp"
#include "supervisor/session_service.h"
#include "supervisor/supervisor_options.h"
#include "wire/arena.h"

namespace ovenbird {

struct ServedBundle {
  ServedModel model;
  wire::ArenaShape arena;            // without a lock's path
  std::vector<std::string> devices;  // to try, in turn
};

/// Errors: those of Bundle::open; kInvalidArgument (the bundle has no such plan, there is no such
/// device).
Result<ServedBundle> open_served_bundle(const SupervisorOptions& options);

}  // namespace ovenbird
