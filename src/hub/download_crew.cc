// Threads that take one index after another.
#include "hub/download_crew.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace ovenbird {
namespace {

constexpr std::chrono::milliseconds kAskEvery{100};

/// What the threads of one run tell each other.
struct Board {
  std::mutex mutex;
  std::condition_variable ended;
  size_t next = 0;
  size_t working = 0;  // threads
  std::optional<Error> error;
};

}  // namespace

DownloadCrew::DownloadCrew(const HubSettings& settings, const ModelName& model,
                           std::atomic<bool>& stop)
    : stop_(stop) {
  for (uint32_t i = 0; i < std::max(settings.files_at_once, 1u); ++i) {
    clients_.push_back(std::make_unique<HubClient>(settings, model, stop));
  }
}

Status DownloadCrew::run(size_t count, const Work& work, const std::function<bool()>& may_go_on) {
  Board board;
  const size_t thread_count = std::min(clients_.size(), count);
  board.working = thread_count;
  const auto take_work = [&](HubClient& client) {
    std::unique_lock lock(board.mutex);
    while (board.next < count && !stop_) {
      const size_t index = board.next++;
      lock.unlock();
      const Status done = work(client, index);
      lock.lock();
      if (done) continue;
      if (!board.error) board.error = done.error();
      stop_ = true;
    }
    --board.working;
    board.ended.notify_all();
  };
  std::vector<std::jthread> threads;
  for (size_t i = 0; i < thread_count; ++i) {
    threads.emplace_back([&, i] { take_work(*clients_[i]); });
  }
  std::unique_lock lock(board.mutex);
  bool was_stopped = false;
  while (!board.ended.wait_for(lock, kAskEvery, [&] { return board.working == 0; })) {
    lock.unlock();
    was_stopped = was_stopped || !may_go_on();
    if (was_stopped) stop_ = true;
    lock.lock();
  }
  lock.unlock();
  threads.clear();
  was_stopped = !may_go_on() || was_stopped;
  if (was_stopped) return fail(Code::kInterrupted, "interrupted");
  if (board.error) return Failure{*board.error};
  return ok();
}

}  // namespace ovenbird
