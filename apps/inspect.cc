// The inspect command: opening, checking, printing.
#include "inspect.h"

#include <cstdio>

namespace ovenbird {

ExitStatus inspect(const InspectCommand& command) {
  const Result<Bundle> bundle = Bundle::open(command.bundle);
  if (!bundle) return report(bundle.error());
  if (command.verify) {
    if (const Status verified = bundle->verify(); !verified) return report(verified.error());
  }
  std::fputs((command.json ? inspect_json(*bundle) : inspect_table(*bundle)).c_str(), stdout);
  if (command.verify && !command.json)
    std::puts("files         every SHA-256 is as the manifest says");
  return finish_output();
}

}  // namespace ovenbird
