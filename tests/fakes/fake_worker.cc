// A program that a supervisor takes for ovenbird-engine: speaks wire/worker_protocol.h without a
// device, checks what it is given, and does wrong what fakes/fake_orders.h says.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "fakes/fake_orders.h"
#include "fakes/fake_slot.h"
#include "wire/worker_protocol.h"

namespace ovenbird {
namespace {

using wire::MessageSocket;
using wire::WorkerMessage;

struct Arguments {
  std::string bundle;
  std::string device;
  std::string plan;
  std::string recipe;
  uint32_t index = wire::kWorkersMax;
  bool is_standby = false;
};

/// Ends the process where a word is not one that the real program knows.
Arguments read(const std::vector<std::string>& words) {
  Arguments arguments;
  if (words.size() < 2 || words[0] != "worker") std::_Exit(2);
  arguments.bundle = words[1];
  for (size_t i = 2; i < words.size(); ++i) {
    const auto value = [&] { return i + 1 < words.size() ? words[++i] : std::string(); };
    if (words[i] == "--device") {
      arguments.device = value();
      if (arguments.device == "auto") arguments.device = "NPU";  // whatever machine this is
    } else if (words[i] == "--plan") {
      arguments.plan = value();
    } else if (words[i] == "--recipe") {
      arguments.recipe = value();
    } else if (words[i] == "--index") {
      arguments.index = static_cast<uint32_t>(std::strtoul(value().c_str(), nullptr, 10));
    } else if (words[i] == "--threads") {
      value();
    } else if (words[i] == "--standby") {
      arguments.is_standby = true;
    } else if (words[i] != "--exact" && words[i] != "--no-fallback") {
      std::_Exit(2);
    }
  }
  if (arguments.index >= wire::kWorkersMax || arguments.device.empty()) std::_Exit(2);
  return arguments;
}

uint64_t steady_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

void enter(wire::WorkerStatus& status, wire::Phase phase) {
  status.phase_since_ns.store(steady_ns(), std::memory_order_relaxed);
  status.phase.store(static_cast<uint32_t>(phase), std::memory_order_release);
}

/// Descriptors that a worker has been given and should not have; empty: none.
std::string surplus_descriptors() {
  DIR* directory = ::opendir("/proc/self/fd");
  std::string surplus;
  while (const dirent* entry = ::readdir(directory)) {
    const int number = std::atoi(entry->d_name);
    if (number > wire::kWorkerArena && number != ::dirfd(directory)) surplus += entry->d_name;
  }
  ::closedir(directory);
  return surplus;
}

class FakeWorker {
 public:
  explicit FakeWorker(const Arguments& arguments)
      : arguments_(arguments),
        orders_({.device = arguments.device, .is_standby = arguments.is_standby}) {}

  int run() {
    open_arena();
    if (const std::string surplus = surplus_descriptors(); !surplus.empty()) {
      refuse("it was given descriptors: " + surplus, wire::kNoSlot);
    }
    reach("start", wire::kNoSlot);
    send_ready();
    reach("ready", wire::kNoSlot);
    enter(process_->status, wire::Phase::kIdle);
    while (true) {
      FakeSlot* next = next_slot();
      Result<std::optional<wire::Message>> message =
          next ? supervisor_.receive() : supervisor_.receive_within(-1);
      if (!message) return message.error().code == Code::kNotFound ? 0 : 1;
      if (*message) {
        take(std::move(**message));
      } else if (next) {
        step();
      }
    }
  }

 private:
  void open_arena() {
    struct stat status {};
    ::fstat(wire::kWorkerArena, &status);
    Result<SharedMemory> memory =
        SharedMemory::map(FileDescriptor(wire::kWorkerArena), static_cast<size_t>(status.st_size),
                          Access::kReadWrite);
    if (!memory) refuse(memory.error().message, wire::kNoSlot);
    memory_ = std::move(*memory);
    const Result<wire::Arena> arena = wire::Arena::open(memory_.bytes());
    if (!arena) refuse(arena.error().message, wire::kNoSlot);
    wire::WorkerStatus& own = arena->worker(arguments_.index);
    for (std::atomic<uint64_t>* number : {&own.steps, &own.slowest_step_ns, &own.slowest_of_all_ns,
                                          &own.step_ns, &own.said_tokens}) {
      number->store(0, std::memory_order_relaxed);
    }
    own.slot.store(wire::kNoSlot, std::memory_order_relaxed);
    enter(own, wire::Phase::kStarting);
    process_.reset(new FakeProcess{
        .arena = *arena,
        .status = own,
        .reach = [this](const std::string& place, uint32_t slot) { reach(place, slot); },
        .refuse = [this](const std::string& what, uint32_t slot) { refuse(what, slot); }});
    for (uint32_t slot = 0; slot < arena->shape().slots; ++slot) {
      slots_.push_back(std::make_unique<FakeSlot>(*process_, slot));
    }
  }

  void send_ready() {
    wire::Ready ready;
    arguments_.device.copy(ready.device.data(), ready.device.size() - 1);
    arguments_.recipe.copy(ready.recipe.data(), ready.recipe.size() - 1);
    send(WorkerMessage::kReady, ready);
  }

  template <typename Body>
  void send(WorkerMessage type, const Body& body, const std::string& text = "") {
    static_cast<void>(supervisor_.send({.type = static_cast<uint32_t>(type)}, body,
                                       std::as_bytes(std::span(text)), {},
                                       MessageSocket::Wait::kForRoom));
  }

  [[noreturn]] void end_with(Code code, const std::string& text, uint32_t slot) {
    send(WorkerMessage::kFailed, wire::Failed{.code = static_cast<uint32_t>(code), .slot = slot},
         text);
    std::_Exit(1);
  }

  [[noreturn]] void refuse(const std::string& what, uint32_t slot) {
    end_with(Code::kInternal, "fake worker: " + what, slot);
  }

  void reach(const std::string& place, uint32_t slot) {
    const std::optional<FakeOrders::Fault> fault = orders_.reach(place, slot);
    if (!fault) return;
    if (fault->act == "kill") ::kill(::getpid(), SIGKILL);
    if (fault->act == "exit") std::_Exit(9);
    if (fault->act == "fail") {
      end_with(static_cast<Code>(fault->code), "fake fault at " + place, slot);
    }
    while (fault->act == "hang") ::pause();
    while (!FakeOrders::may_go_on()) ::usleep(1000);
  }

  FakeSlot* next_slot() {
    for (uint32_t i = 1; i <= slots_.size(); ++i) {
      const auto slot = static_cast<uint32_t>((last_ + i) % slots_.size());
      if (!slots_[slot]->has_turn()) continue;
      next_ = slot;
      return slots_[slot].get();
    }
    return nullptr;
  }

  void step() {
    last_ = next_;
    wire::WorkerStatus& status = process_->status;
    status.slot.store(next_, std::memory_order_relaxed);
    if (status.steps.load(std::memory_order_relaxed) == 0) {
      enter(status, wire::Phase::kBinding);
      reach("bind", next_);
    }
    enter(status, wire::Phase::kStepping);
    const uint64_t begin = steady_ns();
    std::this_thread::sleep_for(std::chrono::microseconds(orders_.slow_us()));
    const bool is_over = slots_[next_]->step(slots_);
    const uint64_t took = steady_ns() - begin;
    status.steps.fetch_add(1, std::memory_order_relaxed);
    status.step_ns.fetch_add(took, std::memory_order_relaxed);
    if (took > status.slowest_step_ns.load(std::memory_order_relaxed)) {
      status.slowest_step_ns.store(took, std::memory_order_relaxed);
      status.slowest_of_all_ns.store(took, std::memory_order_relaxed);
    }
    enter(status, wire::Phase::kIdle);
    status.slot.store(wire::kNoSlot, std::memory_order_relaxed);
    if (is_over) send(WorkerMessage::kTurnDone, wire::Slot{.slot = next_});
  }

  void take(wire::Message message) {
    switch (static_cast<WorkerMessage>(message.header.type)) {
      case WorkerMessage::kActivate:
        return activate();
      case WorkerMessage::kAttach:
        return attach(std::move(message));
      case WorkerMessage::kTurn:
        static_cast<void>(slot_of(message));  // every record is looked at before every step
        return;
      default:
        refuse("a message of type " + std::to_string(message.header.type), wire::kNoSlot);
    }
  }

  void activate() {
    if (lock_) refuse("it was activated twice", wire::kNoSlot);
    lock_ = FileDescriptor(
        ::open(("/proc/self/fd/" + std::to_string(memory_.descriptor().get())).c_str(),
               O_RDWR | O_CLOEXEC));
    if (::flock(lock_.get(), LOCK_EX) != 0) refuse("the arena cannot be locked", wire::kNoSlot);
  }

  uint32_t slot_of(const wire::Message& message) {
    const Result<wire::Slot> body = message.body<wire::Slot>();
    if (!body || body->slot >= slots_.size() || !lock_) refuse("a wrong slot", wire::kNoSlot);
    return body->slot;
  }

  void attach(wire::Message message) {
    const Result<wire::Attach> body = message.body<wire::Attach>();
    if (!body || body->slot >= slots_.size() || !lock_ || message.descriptors.empty()) {
      refuse("it cannot attach that", wire::kNoSlot);
    }
    Result<SharedMemory> memory = SharedMemory::map(std::move(message.descriptors[0]),
                                                    body->record_bytes, Access::kReadWrite);
    if (!memory) refuse(memory.error().message, body->slot);
    const Result<wire::Record> record = wire::Record::open(memory->bytes());
    if (!record) refuse(record.error().message, body->slot);
    MessageSocket notice;
    if (message.descriptors.size() > 1) notice = MessageSocket(std::move(message.descriptors[1]));
    slots_[body->slot]->attach(std::move(*memory), *record, std::move(notice));
  }

  Arguments arguments_;
  FakeOrders orders_;
  MessageSocket supervisor_{FileDescriptor(wire::kWorkerSocket)};
  SharedMemory memory_;
  std::unique_ptr<FakeProcess> process_;
  std::vector<std::unique_ptr<FakeSlot>> slots_;
  FileDescriptor lock_{-1};  // held: activated
  uint32_t next_ = 0;
  uint32_t last_ = 0;
};

}  // namespace
}  // namespace ovenbird

int main(int argc, char** argv) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::signal(SIGINT, SIG_IGN);
  const std::vector<std::string> words(argv + 1, argv + argc);
  return ovenbird::FakeWorker(ovenbird::read(words)).run();
}
