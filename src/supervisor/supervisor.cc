// The event loop, and what it is put together from.
#include "supervisor/supervisor.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/message_text.h"
#include "bundle/bundle.h"
#include "supervisor/client_connections.h"
#include "supervisor/served_bundle.h"
#include "supervisor/service_manager.h"
#include "supervisor/session_service.h"
#include "supervisor/worker_pool.h"

namespace ovenbird {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// A flag that any thread or signal handler may raise, and that wakes poll().
class WakeUp {
 public:
  WakeUp() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  explicit operator bool() const { return static_cast<bool>(descriptor_); }
  int descriptor() const { return descriptor_.get(); }
  void raise() const {
    const int error = errno;  // of what a signal has interrupted
    const uint64_t one = 1;
    const ssize_t written = ::write(descriptor_.get(), &one, sizeof one);
    static_cast<void>(written);  // full: it is raised already
    errno = error;
  }
  void lower() const {
    uint64_t count = 0;
    const ssize_t read = ::read(descriptor_.get(), &count, sizeof count);
    static_cast<void>(read);
  }

 private:
  FileDescriptor descriptor_;
};

class EventLoop : public Supervisor {
 public:
  EventLoop(SupervisorOptions options, ServedBundle bundle, ArenaStore store,
            FileDescriptor listener)
      : options_(std::move(options)),
        bundle_(std::move(bundle)),
        store_(std::move(store)),
        listener_(std::move(listener)),
        service_(options_, bundle_.model, store_),
        clients_(service_),
        workers_(options_, bundle_.model.plan, store_.arena(), store_.descriptor(),
                 Ladder(bundle_.devices, options_.fallback, options_.crashes), service_) {
    service_.connect_to(clients_, workers_);
  }

  ~EventLoop() override {
    workers_.end_all();
    // As long as the lock is held, nobody else listens there.
    if (listener_) ::unlink(options_.socket.c_str());
    store_.remove();
  }

  bool has_wake_up() const { return static_cast<bool>(wake_up_); }

  void stop(Stop how) override {
    if (how == Stop::kAtOnce) stop_at_once_ = true;
    stop_drained_ = true;
    wake_up_.raise();
  }

  Result<wire::MessageSocket> connect() override {
    Result<std::array<wire::MessageSocket, 2>> ends = wire::socket_pair();
    if (!ends) return Failure{ends.error()};
    const std::lock_guard lock(arriving_mutex_);
    if (has_ended_) return fail(Code::kNotFound, "connect: the supervisor has ended");
    arriving_.push_back(std::move((*ends)[0]));
    wake_up_.raise();
    return std::move((*ends)[1]);
  }

  Status run() override {
    if (store_.is_taken_over()) service_.take_over(Clock::now());
    workers_.look(Clock::now());
    if (options_.tells_service_manager) tell_service_manager("READY=1");
    Status done = ok();
    while (done && !is_over()) done = serve_once();
    if (options_.tells_service_manager) tell_service_manager("STOPPING=1");
    workers_.end_all();
    service_.end();
    end_clients();
    return done;
  }

 private:
  bool is_over() {
    if (stop_at_once_) return true;
    if (!stop_drained_) return false;
    const Clock::time_point now = Clock::now();
    if (!drain_until_) {
      drain_until_ = now + options_.drain;
      service_.begin_drain();
    }
    return !service_.has_turns() || now >= *drain_until_;
  }

  Status serve_once() {
    std::vector<pollfd> polled{{.fd = wake_up_.descriptor(), .events = POLLIN, .revents = 0}};
    const auto watch = [&](int descriptor) {
      polled.push_back({.fd = descriptor, .events = POLLIN, .revents = 0});
    };
    if (listener_ && Clock::now() >= listen_again_) watch(listener_.get());
    for (const int descriptor : workers_.descriptors()) watch(descriptor);
    for (const int descriptor : clients_.descriptors()) watch(descriptor);
    const milliseconds wait = clients_have_more_ ? milliseconds(0) : time_to_sleep();
    const int ready = ::poll(polled.data(), polled.size(), static_cast<int>(wait.count()));
    if (ready < 0 && errno != EINTR) {
      return fail(Code::kIo, std::string("supervisor: wait: ") + std::strerror(errno));
    }
    wake_up_.lower();
    take_arriving();
    workers_.look(Clock::now());
    clients_have_more_ = clients_.serve();
    service_.look(Clock::now());
    tell_alive();
    return ok();
  }

  milliseconds time_to_sleep() const {
    milliseconds wait = workers_.next_look();
    if (drain_until_) wait = std::min(wait, milliseconds(20));
    if (watchdog_) wait = std::min(wait, *watchdog_);
    return wait;
  }

  void take_arriving() {
    {
      const std::lock_guard lock(arriving_mutex_);
      for (wire::MessageSocket& socket : arriving_) clients_.add(std::move(socket));
      arriving_.clear();
    }
    // A few at a time: one who connects for ever holds nobody up.
    for (int count = 0; listener_ && count < kConnectsInTurn; ++count) {
      Result<std::optional<wire::MessageSocket>> client = wire::accept_from(listener_);
      if (!client) listen_again_ = Clock::now() + kNoDescriptorPause;
      if (!client || !*client) return;
      const Result<wire::Peer> peer = wire::peer_of(**client);
      if (peer && peer->user == ::geteuid()) clients_.add(std::move(**client));
    }
  }

  /// Nobody waits for an answer any more.
  void end_clients() {
    clients_.end();
    const std::lock_guard lock(arriving_mutex_);
    arriving_.clear();
    has_ended_ = true;
  }

  void tell_alive() {
    if (!options_.tells_service_manager || !watchdog_) return;
    const Clock::time_point now = Clock::now();
    if (now < next_alive_) return;
    tell_service_manager("WATCHDOG=1");
    next_alive_ = now + *watchdog_;
  }

  static constexpr int kConnectsInTurn = 16;
  // Who waits to be let in would wake poll() again and again while no descriptor is left.
  static constexpr milliseconds kNoDescriptorPause{100};

  const SupervisorOptions options_;
  const ServedBundle bundle_;
  ArenaStore store_;
  FileDescriptor listener_;
  SessionService service_;
  ClientConnections clients_;
  WorkerPool workers_;
  WakeUp wake_up_;
  std::mutex arriving_mutex_;
  std::vector<wire::MessageSocket> arriving_;
  bool has_ended_ = false;
  std::atomic<bool> stop_drained_{false};
  std::atomic<bool> stop_at_once_{false};
  std::optional<Clock::time_point> drain_until_;
  bool clients_have_more_ = false;
  Clock::time_point listen_again_{};
  const std::optional<milliseconds> watchdog_ = watchdog_interval();
  Clock::time_point next_alive_{};
};

Status check(const SupervisorOptions& options) {
  const auto wrong = [](const char* what, uint64_t most) {
    return fail(Code::kInvalidArgument, std::string(what) + " may be 1 to " + std::to_string(most));
  };
  if (options.slots < 1 || options.slots > limits::kSlotsMax) {
    return wrong("slots", limits::kSlotsMax);
  }
  if (options.sessions < 1 || options.sessions > limits::kSessionsMax) {
    return wrong("sessions", limits::kSessionsMax);
  }
  if (options.session_tokens < 1 || options.session_tokens > limits::kSessionTokensMax) {
    return wrong("session_tokens", limits::kSessionTokensMax);
  }
  if (::access(options.engine.c_str(), X_OK) != 0) {
    return fail(Code::kNotFound, "engine " + in_quotes(options.engine) + ": " +
                                     std::strerror(errno) +
                                     "; install ovenbird-engine beside ovenbird, or name it in "
                                     "OVENBIRD_ENGINE");
  }
  return ok();
}

/// Other supervisors look at the lock, from wherever they were started. Empty without a socket.
Result<std::string> lock_path_of(const std::string& socket) {
  if (socket.empty()) return std::string();
  std::error_code error;
  const std::string path = std::filesystem::absolute(socket, error).lexically_normal();
  if (!error && path.size() + 5 < sizeof wire::ArenaHeader::lock_path) return path + ".lock";
  return fail(Code::kInvalidArgument, "socket " + in_quotes(socket) + ": its path is too long");
}

}  // namespace

Result<std::unique_ptr<Supervisor>> Supervisor::start(SupervisorOptions options) {
  if (Status valid = check(options); !valid) return Failure{valid.error()};
  Result<ServedBundle> bundle = open_served_bundle(options);
  if (!bundle) return Failure{bundle.error()};
  const Result<std::string> lock_path = lock_path_of(options.socket);
  if (!lock_path) return Failure{lock_path.error()};
  Result<ArenaStore> store = ArenaStore::open(bundle->arena, *lock_path);
  if (!store) return Failure{store.error()};
  FileDescriptor listener(-1);
  if (!options.socket.empty()) {
    Result<FileDescriptor> listens = wire::listen_at(options.socket);
    if (!listens) {
      if (!store->is_taken_over()) store->remove();
      return Failure{listens.error()};
    }
    listener = std::move(*listens);
  }
  auto loop = std::make_unique<EventLoop>(std::move(options), std::move(*bundle), std::move(*store),
                                          std::move(listener));
  if (!loop->has_wake_up()) {
    return fail(Code::kIo, std::string("supervisor: ") + std::strerror(errno));
  }
  return std::unique_ptr<Supervisor>(std::move(loop));
}

Result<SupervisorThread> SupervisorThread::start(SupervisorOptions options) {
  Result<std::unique_ptr<Supervisor>> supervisor = Supervisor::start(std::move(options));
  if (!supervisor) return Failure{supervisor.error()};
  return SupervisorThread(std::move(*supervisor));
}

SupervisorThread::SupervisorThread(std::unique_ptr<Supervisor> supervisor)
    : supervisor_(std::move(supervisor)),
      thread_([served = supervisor_.get()] { static_cast<void>(served->run()); }) {}

SupervisorThread::~SupervisorThread() {
  if (!supervisor_) return;
  supervisor_->stop(Supervisor::Stop::kAtOnce);
  thread_.join();
}

}  // namespace ovenbird
