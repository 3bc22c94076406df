// The program `ovenbird-engine`: the only one that loads OpenVINO. `ovenbird` starts it with its
// own arguments; it can also be called by hand.
#include <cstdio>

#include "bake_command.h"
#include "command_line.h"
#include "exit_status.h"
#include "inspect.h"

namespace ovenbird {
namespace {

ExitStatus perform(const ShowText& text) {
  std::fputs(text.text.c_str(), stdout);
  return finish_output();
}
ExitStatus perform(const InspectCommand& command) { return inspect(command); }
ExitStatus perform(const BakeCommand& command) { return bake_bundle(command); }

/// The commands that answer come with the session.
template <typename Answering>
ExitStatus perform(const Answering&) {
  return report({Code::kUnsupported, "this engine bakes and inspects only"});
}

}  // namespace
}  // namespace ovenbird

int main(int count, char** arguments) {
  using namespace ovenbird;
  const Result<Command> command =
      parse_command_line({arguments + 1, static_cast<size_t>(count - 1)});
  if (!command) return report(command.error());
  return std::visit([](const auto& wanted) { return perform(wanted); }, *command);
}
