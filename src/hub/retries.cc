// Waiting between tries.
#include "hub/retries.h"

#include <algorithm>
#include <thread>

namespace ovenbird {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kStopSeenAfter{50};
constexpr uint32_t kDoublingsMax = 20;  // beyond, the longest wait rules anyhow

}  // namespace

Retries::Retries(const RetryPolicy& policy, uint32_t tries, const std::atomic<bool>& stop)
    : policy_(policy), tries_(tries), stop_(stop), random_(std::random_device()()) {}

bool Retries::wait(std::chrono::seconds asked_for) {
  if (++failed_ >= tries_) return false;
  const auto doubled = policy_.first_wait * (int64_t{1} << std::min(failed_ - 1, kDoublingsMax));
  const milliseconds longest = std::min<milliseconds>(doubled, policy_.longest_wait);
  std::uniform_int_distribution<int64_t> chance(longest.count() / 2, longest.count());
  const milliseconds whole = std::max<milliseconds>(milliseconds(chance(random_)), asked_for);
  const auto end = std::chrono::steady_clock::now() + whole;
  while (!stop_) {
    const auto left = end - std::chrono::steady_clock::now();
    if (left <= left.zero()) return true;
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(left, kStopSeenAfter));
  }
  return false;
}

}  // namespace ovenbird
