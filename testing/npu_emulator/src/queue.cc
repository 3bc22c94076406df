// The queue's thread.
#include "src/queue.h"

#include "src/execute.h"
#include "src/faults.h"
#include "src/trace.h"

namespace npu_emulator {

Queue::Queue() : thread_([state = state_] { work(state); }) {}

Queue::~Queue() {
  std::unique_lock lock(state_->mutex);
  state_->stop = true;
  state_->changed.notify_all();
  state_->changed.wait(lock, [&] { return state_->has_ended || state_->hangs; });
  const bool hangs = state_->hangs;
  lock.unlock();
  if (hangs) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

ZeResult Queue::submit(const std::vector<std::shared_ptr<CommandList>>& lists,
                       std::shared_ptr<Signal> fence) {
  if (is_device_lost()) return ZeResult::kDeviceLost;
  const uint64_t number = count_call(Call::kSubmission);
  if (fault_at(Call::kSubmission, number)) return ZeResult::kDeviceLost;
  Job job{.commands = {}, .fence = std::move(fence)};
  for (const auto& list : lists) {
    if (!list->is_closed()) return ZeResult::kInvalidArgument;
    for (Command& command : list->commands()) job.commands.push_back(std::move(command));
  }
  if (job.fence) job.fence->reset();
  trace("submit", {{"submission", number}, {"lists", lists.size()}});
  const std::lock_guard lock(state_->mutex);
  state_->jobs.push_back(std::move(job));
  state_->changed.notify_all();
  return ZeResult::kSuccess;
}

void Queue::work(const std::shared_ptr<State>& state) {
  std::unique_lock lock(state->mutex);
  for (;;) {
    state->changed.wait(lock, [&] { return state->stop || !state->jobs.empty(); });
    if (state->jobs.empty()) break;
    Job job = std::move(state->jobs.front());
    state->jobs.pop_front();
    lock.unlock();
    const ZeResult result = execute(job.commands, [&] {
      const std::lock_guard hang(state->mutex);
      state->hangs = true;
      state->changed.notify_all();
    });
    job.commands.clear();  // before anybody who sees the fence takes things down
    if (job.fence) job.fence->set(result);
    lock.lock();
  }
  state->has_ended = true;
  state->changed.notify_all();
}

}  // namespace npu_emulator
