// The program `ovenbird-engine`: the only one that loads OpenVINO. `ovenbird` starts it with its
// own arguments; it can also be called by hand.
#include <malloc.h>

#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>

#include "bake_command.h"
#include "bench_command.h"
#include "command_line.h"
#include "doctor_command.h"
#include "engine/npu_self_test.h"
#include "exit_status.h"
#include "inspect.h"
#include "score_command.h"
#include "self_test_process.h"
#include "worker_command.h"

namespace ovenbird {
namespace {

ExitStatus perform(const ShowText& text) {
  std::fputs(text.text.c_str(), stdout);
  return finish_output();
}
ExitStatus perform(const InspectCommand& command) { return inspect(command); }
ExitStatus perform(const BakeCommand& command) { return bake_bundle(command); }
ExitStatus perform(const ScoreCommand& command) { return score_text(command); }
ExitStatus perform(const BenchCommand& command) { return bench(command); }
ExitStatus perform(const DoctorCommand& command) { return examine(command); }
ExitStatus perform(const WorkerCommand& command) { return work(command); }

ExitStatus belongs_to_ovenbird(const char* command) {
  return report(
      {Code::kInvalidArgument,
       std::string(command) + ": it is a command of `ovenbird`, which starts this program"});
}
ExitStatus perform(const RunCommand&) { return belongs_to_ovenbird("run"); }
ExitStatus perform(const ChatCommand&) { return belongs_to_ovenbird("chat"); }
ExitStatus perform(const ServeCommand&) { return belongs_to_ovenbird("serve"); }

/// Writes an answer before each step and after the last. A driver that hangs when it is unloaded
/// has been heard by then.
[[noreturn]] void say_what_the_npu_does() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // whoever asked has gone: nobody would end it
  const auto say = [](const NpuAnswer& answer) {
    std::puts(to_json(answer).c_str());
    std::fflush(stdout);
  };
  say(try_npu(say));
  ::_exit(kExitDone);
}

ExitStatus run_engine(int count, char** arguments) {
  if (count == 2 && arguments[1] == kSelfTestWord) say_what_the_npu_does();
  const Result<Command> command =
      parse_command_line({arguments + 1, static_cast<size_t>(count - 1)});
  if (!command) return report(command.error());
  return std::visit([](const auto& wanted) { return perform(wanted); }, *command);
}

}  // namespace
}  // namespace ovenbird

int main(int count, char** arguments) {
  // Graphs are compiled by several threads and kept for long: with an arena of malloc's for each
  // thread, what one of them freed would stay with it (20 MiB of SmolLM2's 490).
  ::mallopt(M_ARENA_MAX, 1);
  return ovenbird::run_engine(count, arguments);
}
