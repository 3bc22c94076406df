// The program `ovenbird`: reads the command line, inspects bundles and machines itself, and becomes
// `ovenbird-engine` for everything that needs OpenVINO, which it never loads.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "chat_command.h"
#include "command_line.h"
#include "doctor_command.h"
#include "engine_path.h"
#include "exit_status.h"
#include "inspect.h"
#include "run_command.h"
#include "serve_command.h"

namespace ovenbird {
namespace {

/// Returns only if the engine cannot be started.
ExitStatus become_engine(char** arguments) {
  const std::string path = engine_path().string();
  ::execv(path.c_str(), arguments);
  return report({Code::kIo, "start " + path + ": " + std::strerror(errno) +
                                "; install it beside ovenbird, or name it in OVENBIRD_ENGINE"});
}

ExitStatus run_program(int count, char** arguments) {
  const Result<Command> command =
      parse_command_line({arguments + 1, static_cast<size_t>(count - 1)});
  if (!command) return report(command.error());
  if (const auto* text = std::get_if<ShowText>(&*command)) {
    std::fputs(text->text.c_str(), stdout);
    return finish_output();
  }
  if (const auto* wanted = std::get_if<InspectCommand>(&*command)) return inspect(*wanted);
  if (const auto* wanted = std::get_if<DoctorCommand>(&*command)) return examine(*wanted);
  if (const auto* wanted = std::get_if<RunCommand>(&*command)) return run(*wanted);
  if (const auto* wanted = std::get_if<ChatCommand>(&*command)) return chat(*wanted);
  if (const auto* wanted = std::get_if<ServeCommand>(&*command)) return serve(*wanted);
  return become_engine(arguments);
}

}  // namespace
}  // namespace ovenbird

int main(int count, char** arguments) { return ovenbird::run_program(count, arguments); }
