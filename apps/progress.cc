// Progress as text.
#include "progress.h"

#include <algorithm>

#include "quantities.h"

namespace ovenbird {
namespace {

constexpr Progress::Seconds kRedrawEvery{0.1};  // a terminal: smooth, and costs nothing
constexpr Progress::Seconds kLineEvery{3};      // a log: enough to see that it lives
constexpr uint64_t kLinePercent = 10;
constexpr size_t kBarColumns = 24;
// Before this the rate is mostly start-up, and "time left" would only frighten.
constexpr Progress::Seconds kRateKnownAfter{0.5};
constexpr char kEraseLine[] = "\r\x1b[K";

}  // namespace

std::string Progress::update(uint64_t bytes_done, Seconds elapsed) {
  bytes_done = std::min(bytes_done, bytes_total_);
  return style_ == Style::kBar ? bar(bytes_done, elapsed) : line(bytes_done, elapsed);
}

std::string Progress::finish() const { return style_ == Style::kBar ? kEraseLine : ""; }

uint64_t Progress::percent(uint64_t bytes_done) const {
  return bytes_total_ == 0 ? 100 : bytes_done * 100 / bytes_total_;
}

std::string Progress::state(uint64_t bytes_done, Seconds elapsed) const {
  std::string text = std::to_string(percent(bytes_done)) + " %, " + size_text(bytes_done) + " of " +
                     size_text(bytes_total_);
  if (bytes_done == bytes_total_) return text + words_.at_end;
  if (bytes_done == 0 || elapsed < kRateKnownAfter) return text;
  const double rest = static_cast<double>(bytes_total_ - bytes_done);
  return text + ", " + time_text(elapsed * rest / static_cast<double>(bytes_done)) + " left";
}

std::string Progress::bar(uint64_t bytes_done, Seconds elapsed) {
  const bool is_over = bytes_done == bytes_total_ && shown_percent_ < 100;
  if (elapsed - shown_at_ < kRedrawEvery && !is_over) return "";
  shown_at_ = elapsed;
  shown_percent_ = percent(bytes_done);
  const size_t full = shown_percent_ * kBarColumns / 100;
  return kEraseLine + std::string("[") + std::string(full, '#') +
         std::string(kBarColumns - full, '.') + "] " + state(bytes_done, elapsed);
}

std::string Progress::line(uint64_t bytes_done, Seconds elapsed) {
  const bool is_first = shown_at_ < Seconds(0);
  if (is_first) shown_at_ = Seconds(0);
  if (elapsed - shown_at_ < kLineEvery) return "";
  if (percent(bytes_done) < shown_percent_ + kLinePercent) return "";
  shown_at_ = elapsed;
  shown_percent_ = percent(bytes_done);
  return words_.what + ": " + state(bytes_done, elapsed) + "\n";
}

}  // namespace ovenbird
