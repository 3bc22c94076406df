// Sizes and times as people read them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace ovenbird {

/// "512 bytes", "1.5 KiB", "85.3 MiB", "4.0 GiB".
std::string size_text(uint64_t bytes);

/// "8 s", "2 min 5 s", "1 h 12 min"; parts of a second are rounded up.
std::string time_text(std::chrono::duration<double> time);

/// "135 M", "7.2 G": how many there are of something.
std::string count_text(uint64_t count);

}  // namespace ovenbird
