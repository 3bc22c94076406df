// The version of everything in this room.
#pragma once

#include <cstdint>

namespace ovenbird::wire {

/// Of shared bytes and messages alike. Processes of different versions refuse each other.
inline constexpr uint32_t kWireVersion = 1;

}  // namespace ovenbird::wire
