// Deaths counted and forgiven.
#include "supervisor/ladder.h"

#include <utility>

namespace ovenbird {
namespace {

bool is_for_good(Code code) { return code == Code::kNoDevice || code == Code::kCompileFailed; }

}  // namespace

Ladder::Ladder(std::vector<std::string> devices, bool fallback, const CrashBudget& budget)
    : budget_(budget) {
  for (std::string& device : devices) rungs_.push_back({.device = std::move(device)});
  if (!fallback) rungs_.resize(1);
}

bool Ladder::is_over_budget(Rung& rung, Time now) const {
  while (!rung.deaths.empty() && now - rung.deaths.front() > budget_.window) {
    rung.deaths.pop_front();
  }
  while (!rung.deaths.empty() && now - rung.last_change >= budget_.forgiven_after) {
    rung.deaths.pop_front();
    rung.last_change += budget_.forgiven_after;
  }
  return rung.deaths.size() >= budget_.deaths;
}

std::optional<std::string> Ladder::device(Time now) {
  std::optional<std::string> last_resort;
  for (Rung& rung : rungs_) {
    if (!rung.why_unusable.empty()) continue;
    if (!is_over_budget(rung, now)) return rung.device;
    last_resort = rung.device;
  }
  return last_resort;
}

std::optional<std::string> Ladder::above(const std::string& device, Time now) {
  for (Rung& rung : rungs_) {
    if (rung.device == device) break;
    if (rung.why_unusable.empty() && !is_over_budget(rung, now)) return rung.device;
  }
  return std::nullopt;
}

bool Ladder::is_above(const std::string& device, const std::string& other) const {
  for (const Rung& rung : rungs_) {
    if (rung.device == other) return false;
    if (rung.device == device) return true;
  }
  return false;
}

void Ladder::found(const std::string& device) {
  for (Rung& rung : rungs_) {
    if (rung.device == device) return;
    if (rung.why_unusable.empty()) rung.why_unusable = "it cannot be used as asked";
  }
}

std::string Ladder::below(const std::string& device) const {
  bool is_passed = false;
  for (const Rung& rung : rungs_) {
    if (is_passed && rung.why_unusable.empty()) return rung.device;
    is_passed = is_passed || rung.device == device;
  }
  return device;
}

void Ladder::died(const std::string& device, const Error& error, Time now) {
  for (Rung& rung : rungs_) {
    if (rung.device != device) continue;
    rung.last_error = error.message;
    rung.last_change = now;
    if (is_for_good(error.code)) {
      rung.why_unusable = error.message;
    } else if (error.code == Code::kOutOfMemory) {
      rung.deaths.assign(budget_.deaths, now);  // at once again it would lack as much
    } else {
      rung.deaths.push_back(now);
    }
  }
}

std::string Ladder::reasons() const {
  std::string text;
  for (const Rung& rung : rungs_) {
    const std::string& why = rung.why_unusable.empty() ? rung.last_error : rung.why_unusable;
    if (why.empty()) continue;
    text += (text.empty() ? "" : "; ") + rung.device + ": " + why;
  }
  return text;
}

}  // namespace ovenbird
