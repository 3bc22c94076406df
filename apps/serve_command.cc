// The serve command: signals in, notes out.
#include "serve_command.h"

#include <atomic>
#include <csignal>
#include <memory>
#include <string>
#include <utility>

#include "engine_path.h"
#include "supervisor/supervisor.h"
#include "wire/default_socket.h"

namespace ovenbird {
namespace {

std::atomic<Supervisor*> served{nullptr};
std::atomic<int> signals{0};

void on_signal(int) {
  Supervisor* supervisor = served.load();
  if (!supervisor) return;
  const bool is_first = signals.fetch_add(1) == 0;
  supervisor->stop(is_first ? Supervisor::Stop::kDrain : Supervisor::Stop::kAtOnce);
}

/// For as long as a supervisor is there to hear of them.
class Signals {
 public:
  explicit Signals(Supervisor& supervisor) {
    served.store(&supervisor);
    struct sigaction action {};
    action.sa_handler = on_signal;
    sigaction(SIGTERM, &action, nullptr);
    sigaction(SIGINT, &action, nullptr);
    std::signal(SIGHUP, SIG_IGN);  // a terminal that is closed is no reason to end
  }
  ~Signals() {
    std::signal(SIGTERM, SIG_IGN);
    std::signal(SIGINT, SIG_IGN);
    served.store(nullptr);
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
};

SupervisorOptions options_of(const ServeCommand& command, const std::string& socket) {
  const RunChoice& where = command.where;
  return {.bundle = where.bundle,
          .socket = socket,
          .engine = engine_path().string(),
          .device = where.device,
          .fallback = where.fallback,
          .plan = where.plan,
          .recipe = where.recipe,
          .threads = where.threads,
          .exact = where.exact,
          .slots = command.slots,
          .queue = command.queue,
          .sessions = command.sessions,
          .session_tokens = command.session_tokens,
          .standby = command.standby,
          .drain = std::chrono::seconds(command.drain_s),
          .tells_service_manager = true,
          .on_note = note};
}

}  // namespace

ExitStatus serve(const ServeCommand& command) {
  const Result<std::string> socket =
      command.socket ? Result<std::string>(*command.socket) : wire::default_socket();
  if (!socket) return report(socket.error());
  Result<std::unique_ptr<Supervisor>> supervisor = Supervisor::start(options_of(command, *socket));
  if (!supervisor) return report(supervisor.error());
  const Signals heard(**supervisor);
  note("serving " + command.where.bundle + " at " + *socket);
  const Status ended = (*supervisor)->run();
  return ended ? kExitDone : report(ended.error());
}

}  // namespace ovenbird
