// Where a daemon and its clients meet when nobody says where.
#pragma once

#include <string>

#include "ovenbird/result.hpp"

namespace ovenbird::wire {

/// $OVENBIRD_SOCKET, or ovenbird.sock in $XDG_RUNTIME_DIR. Errors: kInvalidArgument (neither is
/// set: a directory that others may write to would be no safe place).
Result<std::string> default_socket();

}  // namespace ovenbird::wire
