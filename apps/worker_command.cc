// The worker command: what a supervisor starts.
#include "worker_command.h"

#include <sys/prctl.h>

#include <csignal>
#include <utility>

#include "open_model.h"
#include "wire/worker_protocol.h"
#include "worker/worker.h"

namespace ovenbird {

ExitStatus work(const WorkerCommand& command) {
  // Who started it has gone: nobody would end it. What a terminal or a service manager says to a
  // whole group is for the supervisor to hear, who may have answers to finish.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, SIG_IGN);
  wire::MessageSocket supervisor{FileDescriptor(wire::kWorkerSocket)};
  FileDescriptor arena(wire::kWorkerArena);
  Result<Bundle> bundle = Bundle::open(command.where.bundle);
  if (!bundle) return report(bundle.error());
  const WorkerOptions options{
      .engine = engine_options(command.where, bundle->manifest(), Purpose::kAnswer),
      .recipe_name = recipe_name(command.where),
      .index = command.index,
      .standby = command.standby};
  const Status ended = run_worker(*bundle, options, std::move(supervisor), std::move(arena));
  return ended ? kExitDone : exit_status(ended.error().code);
}

}  // namespace ovenbird
