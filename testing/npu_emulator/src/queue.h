// A queue of the device: a thread that runs what was submitted, one submission after another.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "src/command_list.h"
#include "src/signal.h"

namespace npu_emulator {

class Queue {
 public:
  Queue();

  /// Waits for what has been submitted, and so for events that nobody may signal. A hang that was
  /// asked for is not waited for: the thread is left behind.
  ~Queue();

  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  /// `fence` may be null. A submission arms it anew: the caller may have left it signalled.
  /// Errors: kDeviceLost, kInvalidArgument (a list is not closed).
  ZeResult submit(const std::vector<std::shared_ptr<CommandList>>& lists,
                  std::shared_ptr<Signal> fence);

 private:
  struct Job {
    std::vector<Command> commands;
    std::shared_ptr<Signal> fence;
  };

  /// Shared with the thread, which may outlive the queue.
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Job> jobs;
    bool stop = false;
    bool has_ended = false;
    bool hangs = false;
  };

  static void work(const std::shared_ptr<State>& state);

  std::shared_ptr<State> state_ = std::make_shared<State>();
  std::thread thread_;
};

}  // namespace npu_emulator
