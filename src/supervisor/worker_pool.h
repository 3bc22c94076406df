// The active worker and its standby: started, watched, replaced.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ovenbird/result.hpp"
#include "supervisor/ladder.h"
#include "supervisor/supervisor_options.h"
#include "supervisor/worker_process.h"
#include "wire/arena.h"
#include "wire/worker_protocol.h"

namespace ovenbird {

/// What the pool tells its owner, from within its calls.
class WorkerEvents {
 public:
  virtual ~WorkerEvents() = default;
  virtual void on_turn_done(uint32_t slot) = 0;
  /// The active worker is gone, or could not be started. `slot`: the one it was stepping; kNoSlot.
  /// `moves_on`: the next one is on another device, which may do what this one could not.
  struct Death {
    Error why;
    uint32_t slot = wire::kNoSlot;
    bool moves_on = false;
  };
  virtual void on_death(const Death& death) = 0;
  /// No device can be used any more.
  virtual void on_exhausted(const Error& why) = 0;
  virtual void on_note(const std::string& note) = 0;
};

class WorkerPool {
 public:
  using Time = Ladder::Time;

  struct Counts {
    uint64_t restarts = 0;   // active workers that were replaced
    uint64_t failovers = 0;  // ... by one on another device
    std::string last_failure;
    // Of workers that are gone.
    uint64_t steps = 0;
    uint64_t step_ns = 0;
    uint64_t said_tokens = 0;
  };

  /// All of these outlive it. `plan`: the plan's name.
  WorkerPool(const SupervisorOptions& options, std::string plan, const wire::Arena& arena,
             int arena_descriptor, Ladder ladder, WorkerEvents& events);

  /// Descriptors that something may have happened on.
  std::vector<int> descriptors() const;

  /// Reads what workers say, sees who has died, hung or is missing. Does not wait. To be called
  /// when a descriptor is readable, and every now and then: see next_look().
  void look(Time now);

  /// How long look() may wait for its next call.
  std::chrono::milliseconds next_look() const;

  /// The worker that has the arena; null: there is none for now.
  const WorkerProcess* active() const;
  /// One that is ready to take over; null: there is none for now.
  const WorkerProcess* standby() const;
  const std::string& active_recipe() const { return recipe_; }

  /// Says that turns have got on since the last death: deaths after it are not in a row.
  void note_progress() { fruitless_deaths_ = 0; }
  uint32_t fruitless_deaths() const { return fruitless_deaths_; }

  /// With the worker that lives.
  Counts counts() const;

  /// Ends all workers, at once: what they have not published is not lost, it was not there yet.
  void end_all();

 private:
  struct Worker {
    std::unique_ptr<WorkerProcess> process;
    bool is_ready = false;
    bool is_active = false;
    std::optional<Error> failure;
    Time started{};
  };

  void hear(Worker& worker);
  void take(Worker& worker, const wire::Message& message);
  void check_deadline(Worker& worker, Time now);
  std::chrono::nanoseconds deadline_of(const Worker& worker, wire::Phase phase) const;
  void bury_active(Time now);
  void bury_standby(Time now);
  void start_active(Time now);
  void could_not_start(const Error& why, Time now);
  void start_standby(const std::string& device, Time now);
  void climb(Time now);
  void retire_active();
  Result<Worker> start(const std::string& device, bool standby, Time now) const;
  uint32_t free_index() const;
  void activate(Worker& worker);
  void exhaust();
  wire::WorkerStatus& status_of(const Worker& worker) const;
  Error failure_of(Worker& worker) const;
  void add_work_of(const Worker& worker, Counts& counts) const;
  void learn_from(const Worker& worker);
  std::chrono::nanoseconds slowest_known(const Worker& worker) const;

  const SupervisorOptions& options_;
  const std::string plan_;
  const wire::Arena& arena_;
  const int arena_descriptor_;
  Ladder ladder_;
  WorkerEvents& events_;
  std::optional<Worker> active_;
  std::optional<Worker> standby_;
  std::string last_device_;
  std::map<std::string, std::chrono::nanoseconds> slowest_steps_;  // by device
  bool has_lost_one_ = false;                                      // and none has come after it
  Error last_error_{Code::kNoDevice, ""};  // why the last active worker ended
  std::string recipe_;
  Time start_not_before_{};
  Time standby_not_before_{};
  uint32_t standby_deaths_ = 0;
  uint32_t fruitless_deaths_ = 0;
  bool is_exhausted_ = false;
  Counts counts_;
};

}  // namespace ovenbird
