// Deaths, deadlines and successors.
#include "supervisor/worker_pool.h"

#include <algorithm>
#include <utility>

#include "base/message_text.h"
#include "wire/fixed_text.h"

namespace ovenbird {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds kPauseFirst{100};
constexpr milliseconds kPauseMost{5000};
constexpr milliseconds kLookBusy{50};  // while a deadline may pass
constexpr milliseconds kLookIdle{1000};

/// The pause before a worker is started again after so many deaths in a row.
milliseconds pause_after(uint32_t deaths) {
  if (deaths < 2) return milliseconds(0);
  return std::min(kPauseMost, kPauseFirst * (1 << std::min(deaths - 2, 10u)));
}

std::string text_of(std::span<const std::byte> bytes) {
  return one_line({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

uint64_t in_ns(WorkerPool::Time time) {
  return static_cast<uint64_t>(nanoseconds(time.time_since_epoch()).count());
}

std::string in_ms(nanoseconds time) {
  return std::to_string(std::chrono::duration_cast<milliseconds>(time).count()) + " ms";
}

}  // namespace

WorkerPool::WorkerPool(const SupervisorOptions& options, std::string plan, const wire::Arena& arena,
                       int arena_descriptor, Ladder ladder, WorkerEvents& events)
    : options_(options),
      plan_(std::move(plan)),
      arena_(arena),
      arena_descriptor_(arena_descriptor),
      ladder_(std::move(ladder)),
      events_(events) {}

std::vector<int> WorkerPool::descriptors() const {
  std::vector<int> all;
  for (const std::optional<Worker>* worker : {&active_, &standby_}) {
    if (!*worker) continue;
    all.push_back((*worker)->process->socket().descriptor());
    all.push_back((*worker)->process->exit_descriptor());
  }
  return all;
}

void WorkerPool::look(Time now) {
  for (std::optional<Worker>* worker : {&active_, &standby_}) {
    if (!*worker) continue;
    hear(**worker);
    check_deadline(**worker, now);
  }
  if (standby_ && standby_->process->has_ended()) bury_standby(now);
  if (active_ && active_->process->has_ended()) bury_active(now);
  if (active_ && !active_->is_ready && standby_ && standby_->is_ready) std::swap(active_, standby_);
  climb(now);
  if (!active_ && !is_exhausted_) start_active(now);
  if (active_ && active_->is_ready && !active_->is_active) activate(*active_);
  if (options_.standby && !standby_ && active()) {
    start_standby(ladder_.below(active_->process->device()), now);
  }
}

milliseconds WorkerPool::next_look() const {
  if (!active_) return is_exhausted_ ? kLookIdle : kLookBusy;
  const auto phase =
      static_cast<wire::Phase>(status_of(*active_).phase.load(std::memory_order_acquire));
  return phase == wire::Phase::kIdle && (!standby_ || standby_->is_ready) ? kLookIdle : kLookBusy;
}

/// Everything a worker has said, its last words included.
void WorkerPool::hear(Worker& worker) {
  while (true) {
    const Result<std::optional<wire::Message>> message = worker.process->socket().receive();
    if (!message) worker.process->kill();  // one who closes its end should end, and may hang
    if (!message || !*message) return;
    take(worker, **message);
  }
}

void WorkerPool::take(Worker& worker, const wire::Message& message) {
  switch (static_cast<wire::WorkerMessage>(message.header.type)) {
    case wire::WorkerMessage::kReady: {
      worker.is_ready = true;
      if (const auto ready = message.body<wire::Ready>()) {
        recipe_ = wire::text_in(ready->recipe);
        const std::string device = wire::text_in(ready->device);
        if (device != worker.process->device()) ladder_.found(device);
        worker.process->set_device(device);
      }
      return;
    }
    case wire::WorkerMessage::kNote:
      events_.on_note(text_of(message.payload));
      return;
    case wire::WorkerMessage::kTurnDone:
      if (const auto body = message.body<wire::Slot>(); body && worker.is_active) {
        events_.on_turn_done(body->slot);
      }
      return;
    case wire::WorkerMessage::kFailed: {
      const auto body = message.body<wire::Failed>();
      worker.failure = Error{body ? wire::code_of(body->code) : Code::kInternal,
                             text_of(message.tail<wire::Failed>())};
      worker.process->kill();  // it may hang while it ends
      return;
    }
    default:
      worker.failure = Error{Code::kInternal, "it said something that nobody understands"};
      worker.process->kill();
  }
}

nanoseconds WorkerPool::deadline_of(const Worker& worker, wire::Phase phase) const {
  const WorkerDeadlines& deadlines = options_.deadlines;
  if (phase == wire::Phase::kStarting) return deadlines.start;
  if (phase == wire::Phase::kBinding) return deadlines.bind;
  const nanoseconds slowest(status_of(worker).slowest_step_ns.load(std::memory_order_relaxed));
  if (slowest.count() > 0) {
    return std::max<nanoseconds>(deadlines.step_floor, slowest * deadlines.step_factor);
  }
  const nanoseconds known = slowest_known(worker);
  if (known.count() == 0) return deadlines.first_step;
  const auto wanted =
      std::max<nanoseconds>(deadlines.step_floor_of_first, known * deadlines.step_factor);
  return std::min<nanoseconds>(deadlines.first_step, wanted);
}

void WorkerPool::check_deadline(Worker& worker, Time now) {
  const wire::WorkerStatus& status = status_of(worker);
  const auto phase = static_cast<wire::Phase>(status.phase.load(std::memory_order_acquire));
  if (phase == wire::Phase::kIdle || worker.failure) return;
  const uint64_t since =
      std::max(status.phase_since_ns.load(std::memory_order_acquire), in_ns(worker.started));
  const nanoseconds took(static_cast<int64_t>(in_ns(now) - std::min(in_ns(now), since)));
  const nanoseconds deadline = deadline_of(worker, phase);
  if (took <= deadline) return;
  const char* what = phase == wire::Phase::kStarting  ? "its start"
                     : phase == wire::Phase::kBinding ? "waiting for a graph"
                                                      : "a step";
  worker.failure = Error{Code::kDeviceLost, std::string("hung: ") + what + " took " + in_ms(took) +
                                                "; it may take " + in_ms(deadline)};
  worker.process->kill();
}

Error WorkerPool::failure_of(Worker& worker) const {
  if (worker.failure) return *worker.failure;
  return {Code::kDeviceLost, "worker ended by " + worker.process->how_it_ended()};
}

void WorkerPool::bury_active(Time now) {
  hear(*active_);
  const wire::WorkerStatus& status = status_of(*active_);
  const uint32_t slot =
      active_->is_active ? status.slot.load(std::memory_order_relaxed) : wire::kNoSlot;
  const Error why = failure_of(*active_);
  const std::string device = active_->process->device();
  learn_from(*active_);
  counts_.last_failure = device + ": " + why.message;
  last_error_ = {why.code, counts_.last_failure};
  has_lost_one_ = true;
  active_.reset();
  ladder_.died(device, why, now);
  const bool moves_on = ladder_.device(now) != device;
  fruitless_deaths_ = moves_on ? 0 : fruitless_deaths_ + 1;
  start_not_before_ = now + pause_after(fruitless_deaths_);
  events_.on_death({{why.code, device + ": " + why.message}, slot, moves_on});
}

void WorkerPool::bury_standby(Time now) {
  hear(*standby_);
  const Error why = failure_of(*standby_);
  const std::string device = standby_->process->device();
  standby_.reset();
  ladder_.died(device, why, now);
  standby_not_before_ = now + pause_after(++standby_deaths_ + 1);
  events_.on_note("standby on " + device + ": " + why.message);
}

void WorkerPool::start_active(Time now) {
  if (standby_ && standby_->is_ready) {
    active_ = std::exchange(standby_, std::nullopt);
    standby_deaths_ = 0;
  } else {
    if (now < start_not_before_) return;
    const std::optional<std::string> device = ladder_.device(now);
    if (!device) return exhaust();
    Result<Worker> started = start(*device, false, now);
    if (!started) return could_not_start(started.error(), now);
    active_ = std::move(*started);
  }
  // A device that is not there has lost no worker.
  if (has_lost_one_ && last_error_.code != Code::kNoDevice) ++counts_.restarts;
  has_lost_one_ = false;
}

/// There is no process: no device is to blame.
void WorkerPool::could_not_start(const Error& why, Time now) {
  counts_.last_failure = why.message;
  // A program that is not there will hardly be there in a moment. It is looked for all the same:
  // it may be about to be replaced by a newer one.
  fruitless_deaths_ = why.code == Code::kNotFound
                          ? std::max(fruitless_deaths_ + 1, options_.crashes.fruitless)
                          : fruitless_deaths_ + 1;
  start_not_before_ = now + pause_after(fruitless_deaths_ + 1);
  events_.on_death({.why = why});
}

/// Goes back to a better device once its deaths have been forgiven, and a worker on it is ready: so
/// a device that is still broken disturbs nobody.
void WorkerPool::climb(Time now) {
  if (!active() || (standby_ && !standby_->is_ready)) return;
  const std::string& device = active_->process->device();
  if (standby_ && ladder_.is_above(standby_->process->device(), device)) return retire_active();
  const std::optional<std::string> better = ladder_.above(device, now);
  if (standby_ && (better ? standby_->process->device() != *better : !options_.standby)) {
    standby_.reset();
  }
  if (better && !standby_) start_standby(*better, now);
}

/// What outlives a worker.
void WorkerPool::learn_from(const Worker& worker) {
  add_work_of(worker, counts_);
  slowest_steps_[worker.process->device()] = slowest_known(worker);
}

/// Of any kind, of this worker and of those before it on its device; 0: there was none.
nanoseconds WorkerPool::slowest_known(const Worker& worker) const {
  const auto before = slowest_steps_.find(worker.process->device());
  const nanoseconds own(status_of(worker).slowest_of_all_ns.load(std::memory_order_relaxed));
  return before == slowest_steps_.end() ? own : std::max(own, before->second);
}

/// The standby is to take over.
void WorkerPool::retire_active() {
  learn_from(*active_);
  active_.reset();
  events_.on_death({.why = {Code::kInterrupted, "a better device can be used"}, .moves_on = true});
}

void WorkerPool::start_standby(const std::string& device, Time now) {
  if (now < standby_not_before_) return;
  Result<Worker> started = start(device, true, now);
  if (started) {
    standby_ = std::move(*started);
  } else {
    standby_not_before_ = now + pause_after(++standby_deaths_ + 1);
  }
}

Result<WorkerPool::Worker> WorkerPool::start(const std::string& device, bool standby,
                                             Time now) const {
  const uint32_t index = free_index();
  // The best device of all is for the worker to find: it knows in a moment what there is.
  const bool finds_itself = options_.device == "auto" && device == ladder_.best();
  std::vector<std::string> arguments{
      "worker", options_.bundle, "--device", finds_itself ? "auto" : device,
      "--plan", plan_,           "--index",  std::to_string(index)};
  if (options_.recipe) arguments.insert(arguments.end(), {"--recipe", *options_.recipe});
  if (options_.threads > 0) {
    arguments.insert(arguments.end(), {"--threads", std::to_string(options_.threads)});
  }
  if (!options_.fallback) arguments.emplace_back("--no-fallback");
  if (options_.exact) arguments.emplace_back("--exact");
  if (standby) arguments.emplace_back("--standby");
  wire::WorkerStatus& status = arena_.worker(index);
  status.slot.store(wire::kNoSlot, std::memory_order_relaxed);
  for (std::atomic<uint64_t>* count : {&status.steps, &status.step_ns, &status.said_tokens,
                                       &status.slowest_step_ns, &status.slowest_of_all_ns}) {
    count->store(0, std::memory_order_relaxed);
  }
  status.phase.store(static_cast<uint32_t>(wire::Phase::kStarting), std::memory_order_release);
  Result<std::unique_ptr<WorkerProcess>> process =
      WorkerProcess::start({.program = options_.engine,
                            .arguments = std::move(arguments),
                            .device = device,
                            .index = index,
                            .arena = arena_descriptor_});
  if (!process) return Failure{process.error()};
  return Worker{.process = std::move(*process), .started = now};
}

uint32_t WorkerPool::free_index() const {
  for (uint32_t index = 0; index < wire::kWorkersMax; ++index) {
    const auto has = [&](const std::optional<Worker>& worker) {
      return worker && worker->process->index() == index;
    };
    if (!has(active_) && !has(standby_)) return index;
  }
  return 0;  // two workers cannot have four
}

void WorkerPool::activate(Worker& worker) {
  const Status sent =
      worker.process->socket().send({.type = static_cast<uint32_t>(wire::WorkerMessage::kActivate)},
                                    {}, {}, {}, wire::MessageSocket::Wait::kNever);
  if (!sent) return;  // it is about to end
  worker.is_active = true;
  const std::string& device = worker.process->device();
  const std::string last = std::exchange(last_device_, device);
  if (last.empty()) return;
  if (ladder_.is_above(device, last)) {
    return events_.on_note("going back to " + device + " from " + last);
  }
  if (device != last) ++counts_.failovers;
  events_.on_note("going on with " + device + " after " + counts_.last_failure);
}

void WorkerPool::exhaust() {
  is_exhausted_ = true;
  // Where only one device was to be tried, there is nothing to add to what it said.
  if (!options_.fallback) return events_.on_exhausted(last_error_);
  const std::string reasons = ladder_.reasons();
  events_.on_exhausted({Code::kNoDevice, "no device can be used: " +
                                             (reasons.empty() ? counts_.last_failure : reasons)});
}

wire::WorkerStatus& WorkerPool::status_of(const Worker& worker) const {
  return arena_.worker(worker.process->index());
}

const WorkerProcess* WorkerPool::active() const {
  return active_ && active_->is_active ? active_->process.get() : nullptr;
}

const WorkerProcess* WorkerPool::standby() const {
  return standby_ && standby_->is_ready ? standby_->process.get() : nullptr;
}

WorkerPool::Counts WorkerPool::counts() const {
  Counts counts = counts_;
  if (active_) add_work_of(*active_, counts);
  return counts;
}

void WorkerPool::add_work_of(const Worker& worker, Counts& counts) const {
  const wire::WorkerStatus& status = status_of(worker);
  counts.steps += status.steps.load(std::memory_order_relaxed);
  counts.step_ns += status.step_ns.load(std::memory_order_relaxed);
  counts.said_tokens += status.said_tokens.load(std::memory_order_relaxed);
}

void WorkerPool::end_all() {
  active_.reset();
  standby_.reset();
}

}  // namespace ovenbird
