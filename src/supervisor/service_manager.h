// Telling systemd how a daemon is.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace ovenbird {

/// Sends a line such as "READY=1" to the socket that $NOTIFY_SOCKET names, if it names one (the
/// protocol of sd_notify(3)). Does not wait; what goes wrong is nobody's business.
void tell_service_manager(const std::string& line);

/// How often it wants to hear "WATCHDOG=1"; none: it does not.
std::optional<std::chrono::milliseconds> watchdog_interval();

}  // namespace ovenbird
