// A worker's life: open, be activated, step, end.
#include "worker/worker.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/shared_memory.h"
#include "session/plan.h"
#include "wire/fixed_text.h"
#include "wire/worker_protocol.h"
#include "worker/fair_share.h"
#include "worker/slot_runner.h"
#include "worker/standby_graphs.h"
#include "worker/watched_engine.h"

namespace ovenbird {
namespace {

using wire::MessageSocket;
using wire::WorkerMessage;

Result<SharedMemory> map_arena(FileDescriptor descriptor) {
  struct stat status {};
  if (::fstat(descriptor.get(), &status) != 0) {
    return fail(Code::kIo, std::string("arena: ") + std::strerror(errno));
  }
  return SharedMemory::map(std::move(descriptor), static_cast<size_t>(status.st_size),
                           Access::kReadWrite);
}

/// The arena's lock, until the process ends. Waits for a worker that is still dying.
Result<FileDescriptor> lock_arena(const SharedMemory& arena) {
  // A lock belongs to an open file; the descriptor that came from the supervisor is shared with it.
  const std::string path = "/proc/self/fd/" + std::to_string(arena.descriptor().get());
  FileDescriptor own(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  int locked = own ? -1 : 1;
  while (locked < 0 && (locked = ::flock(own.get(), LOCK_EX)) < 0 && errno == EINTR) {
  }
  if (locked != 0) return fail(Code::kIo, std::string("lock arena: ") + std::strerror(errno));
  return own;
}

Status check_arena(const wire::ArenaShape& shape, const Manifest& manifest,
                   const std::string& plan) {
  const uint32_t rows = cache_rows(manifest, plan);
  const bool fits = rows == 0 ? shape.tensors == 0
                              : shape.rows == rows && shape.tensors == 2 * manifest.model.layers &&
                                    shape.tensors * shape.tensor_bytes == manifest.slot_bytes(rows);
  if (fits) return ok();
  return fail(Code::kCorrupt,
              "arena: it was laid out for another bundle; start the supervisor anew");
}

constexpr int kFollowEveryMs = 1000;  // conversations grow by some tens of tokens meanwhile

/// Text as the tail of a message.
std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text).first(std::min<size_t>(text.size(), 1000)));
}

class Worker {
 public:
  /// `standby`: of one that is not active yet.
  Worker(const WorkerModel& model, const wire::Arena& arena, const SharedMemory& memory,
         std::optional<StandbyGraphs> standby, MessageSocket& supervisor)
      : arena_(arena),
        memory_(memory),
        status_(model.status),
        supervisor_(supervisor),
        share_(arena.shape().slots),
        standby_(std::move(standby)) {
    for (uint32_t slot = 0; slot < arena.shape().slots; ++slot) {
      runners_.push_back(std::make_unique<SlotRunner>(model, arena, slot));
    }
  }

  /// Until the supervisor has gone.
  Status run() {
    enter(status_, wire::Phase::kIdle);
    while (true) {
      const std::optional<uint32_t> slot = share_.next();
      Result<std::optional<wire::Message>> message =
          slot ? supervisor_.receive() : supervisor_.receive_within(standby_ ? kFollowEveryMs : -1);
      if (!message)
        return message.error().code == Code::kNotFound ? ok() : Failure{message.error()};
      Status done = ok();
      if (*message) {
        done = take(std::move(**message));
      } else if (slot) {
        done = step(*slot);
      } else if (standby_) {
        standby_->follow(arena_);
      }
      if (!done) return done;
    }
  }

  /// The slot of the step that failed.
  uint32_t slot_stepped() const { return status_.slot.load(std::memory_order_relaxed); }

 private:
  Status take(wire::Message message) {
    switch (static_cast<WorkerMessage>(message.header.type)) {
      case WorkerMessage::kActivate:
        return activate();
      case WorkerMessage::kAttach:
        return attach(std::move(message));
      case WorkerMessage::kTurn:
        return turn(message);
      default:
        return fail(Code::kInternal,
                    "worker: a message of type " + std::to_string(message.header.type) + " came");
    }
  }

  Status activate() {
    Result<FileDescriptor> lock = lock_arena(memory_);
    if (!lock) return Failure{lock.error()};
    lock_ = std::move(*lock);
    standby_.reset();
    // What a worker that died has left half moved comes first: slots share the scratch for it.
    for (const std::unique_ptr<SlotRunner>& runner : runners_) {
      if (Status finished = runner->finish_move(); !finished) return finished;
    }
    return ok();
  }

  Status turn(const wire::Message& message) {
    const Result<wire::Slot> body = message.body<wire::Slot>();
    if (!body) return Failure{body.error()};
    if (body->slot >= runners_.size() || !lock_) return wrong_slot(body->slot);
    look_at(body->slot);
    return ok();
  }

  static Failure wrong_slot(uint32_t slot) {
    return fail(Code::kInternal, "worker: slot " + std::to_string(slot) + " is not its own");
  }

  Status attach(wire::Message message) {
    const Result<wire::Attach> body = message.body<wire::Attach>();
    if (!body) return Failure{body.error()};
    if (body->slot >= runners_.size() || !lock_ || message.descriptors.empty()) {
      return wrong_slot(body->slot);
    }
    Result<SharedMemory> memory = SharedMemory::map(std::move(message.descriptors[0]),
                                                    body->record_bytes, Access::kReadWrite);
    if (!memory) return Failure{memory.error()};
    const Result<wire::Record> record = wire::Record::open(memory->bytes());
    if (!record) return Failure{record.error()};
    MessageSocket notice;
    if (message.descriptors.size() > 1) notice = MessageSocket(std::move(message.descriptors[1]));
    share_.end(body->slot);
    Status attached = runners_[body->slot]->attach({.memory = std::move(*memory),
                                                    .record = *record,
                                                    .notice = std::move(notice),
                                                    .slot_is_written = body->is_written != 0});
    if (attached) look_at(body->slot);
    return attached;
  }

  void look_at(uint32_t slot) {
    if (runners_[slot]->has_turn()) share_.begin(slot);
  }

  Status step(uint32_t slot) {
    status_.slot.store(slot, std::memory_order_relaxed);
    const uint64_t begin = steady_ns();
    const Result<SlotRunner::Outcome> outcome = runners_[slot]->step(runners_);
    if (!outcome) return Failure{outcome.error()};
    share_.charge(slot, std::chrono::nanoseconds(steady_ns() - begin));
    status_.slot.store(wire::kNoSlot, std::memory_order_relaxed);
    if (*outcome == SlotRunner::Outcome::kGoesOn) return ok();
    share_.end(slot);
    return supervisor_.send({.type = static_cast<uint32_t>(WorkerMessage::kTurnDone)},
                            wire::Slot{.slot = slot}, {}, {}, MessageSocket::Wait::kForRoom);
  }

  const wire::Arena& arena_;
  const SharedMemory& memory_;
  wire::WorkerStatus& status_;
  MessageSocket& supervisor_;
  FairShare share_;
  std::optional<StandbyGraphs> standby_;
  std::vector<std::unique_ptr<SlotRunner>> runners_;
  FileDescriptor lock_{-1};  // held: activated
};

Status send_ready(MessageSocket& supervisor, const std::string& device, const std::string& recipe) {
  wire::Ready ready;
  wire::put_text(device, ready.device);
  wire::put_text(recipe, ready.recipe);
  return supervisor.send({.type = static_cast<uint32_t>(WorkerMessage::kReady)}, ready, {}, {},
                         MessageSocket::Wait::kForRoom);
}

void send_failed(MessageSocket& supervisor, const Error& error, uint32_t slot) {
  static_cast<void>(
      supervisor.send({.type = static_cast<uint32_t>(WorkerMessage::kFailed)},
                      wire::Failed{.code = static_cast<uint32_t>(error.code), .slot = slot},
                      bytes_of(error.message), {}, MessageSocket::Wait::kForRoom));
}

EngineOptions with_notes(EngineOptions options, MessageSocket& supervisor) {
  options.on_note = [&supervisor](const std::string& note) {
    static_cast<void>(supervisor.send({.type = static_cast<uint32_t>(WorkerMessage::kNote)}, {},
                                      bytes_of(note), {}, MessageSocket::Wait::kForRoom));
  };
  return options;
}

}  // namespace

Status run_worker(const Bundle& bundle, const WorkerOptions& options, MessageSocket supervisor,
                  FileDescriptor arena_descriptor) {
  const auto refuse = [&](const Error& error, uint32_t slot = wire::kNoSlot) -> Status {
    send_failed(supervisor, error, slot);
    return Failure{error};
  };
  const Result<SharedMemory> memory = map_arena(std::move(arena_descriptor));
  if (!memory) return refuse(memory.error());
  const Result<wire::Arena> arena = wire::Arena::open(memory->bytes());
  if (!arena) return refuse(arena.error());
  const Manifest& manifest = bundle.manifest();
  const Status fits = check_arena(arena->shape(), manifest, options.engine.plan);
  if (!fits) return refuse(fits.error());

  wire::WorkerStatus& status = arena->worker(options.index);
  enter(status, wire::Phase::kStarting);
  const EngineOptions notes = with_notes(options.engine, supervisor);
  Result<OpenedEngine> opened = open_engine(bundle, notes);
  if (!opened) return refuse(opened.error());
  if (options.engine.device != "auto") {  // to find no NPU is no news then
    for (const std::string& why : opened->notes) notes.on_note(why);
    if (!opened->notes.empty()) notes.on_note("using " + opened->engine->device() + " instead");
  }
  WatchedEngine engine(std::move(opened->engine), status);
  const WorkerModel model{.manifest = manifest,
                          .plan = options.engine.plan,
                          .width_noise = width_noise(manifest, options.engine),
                          .engine = engine,
                          .graphs = std::make_shared<SharedGraphs>(engine),
                          .status = status};
  std::optional<StandbyGraphs> standby;
  if (options.standby) {
    Result<StandbyGraphs> made = StandbyGraphs::create(model);
    if (!made) return refuse(made.error());
    standby = std::move(*made);
    standby->follow(*arena);
  }
  if (Status said = send_ready(supervisor, engine.device(), options.recipe_name); !said)
    return said;
  Worker worker(model, *arena, *memory, std::move(standby), supervisor);
  const Status ended = worker.run();
  if (!ended) return refuse(ended.error(), worker.slot_stepped());
  return ended;
}

}  // namespace ovenbird
