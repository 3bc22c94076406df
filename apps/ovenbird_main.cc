// The program `ovenbird`: reads the command line, inspects bundles itself, and becomes
// `ovenbird-engine` for everything that needs OpenVINO, which it never loads.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>

#include "command_line.h"
#include "exit_status.h"
#include "inspect.h"

namespace ovenbird {
namespace {

/// $OVENBIRD_ENGINE, or the program beside this one.
std::string engine_path() {
  if (const char* named = std::getenv("OVENBIRD_ENGINE"); named && *named) return named;
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / "ovenbird-engine").string();
}

/// Returns only if the engine cannot be started.
ExitStatus become_engine(char** arguments) {
  const std::string path = engine_path();
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
  return become_engine(arguments);
}

}  // namespace
}  // namespace ovenbird

int main(int count, char** arguments) { return ovenbird::run_program(count, arguments); }
