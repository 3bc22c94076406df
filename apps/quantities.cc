// Sizes and times as people read them.
#include "quantities.h"

#include <cmath>
#include <cstddef>
#include <cstdio>
#include <span>

namespace ovenbird {
namespace {

/// `value` divided by `step` until it is below it; `units[0]` names what was not divided.
std::string scaled(double value, double step, std::span<const char* const> units) {
  size_t unit = 0;
  while (value >= step && unit + 1 < units.size()) {
    value /= step;
    ++unit;
  }
  char text[64];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f%s" : "%.1f%s", value, units[unit]);
  return text;
}

}  // namespace

std::string size_text(uint64_t bytes) {
  static constexpr const char* kUnits[] = {" bytes", " KiB", " MiB", " GiB", " TiB"};
  return scaled(static_cast<double>(bytes), 1024, kUnits);
}

std::string count_text(uint64_t count) {
  static constexpr const char* kUnits[] = {"", " k", " M", " G", " T"};
  return scaled(static_cast<double>(count), 1000, kUnits);
}

std::string time_text(std::chrono::duration<double> time) {
  const auto seconds = static_cast<int64_t>(std::ceil(time.count()));
  if (seconds < 60) return std::to_string(seconds) + " s";
  if (seconds < 3600) {
    return std::to_string(seconds / 60) + " min " + std::to_string(seconds % 60) + " s";
  }
  return std::to_string(seconds / 3600) + " h " + std::to_string(seconds % 3600 / 60) + " min";
}

}  // namespace ovenbird
