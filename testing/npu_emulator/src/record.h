// Recording a command with what it waits for and what it signals.
#pragma once

#include <optional>
#include <span>

#include "src/command_list.h"
#include "src/handles.h"

namespace npu_emulator {

/// Events around a command, as handles; none of them must be there.
struct Around {
  ZeHandle signal = nullptr;
  std::span<ZeHandle> waits;
};

inline void record(ZeHandle list, std::optional<Command> command, const Around& around) {
  CommandList& commands = *object_of<CommandList>(list);
  for (const ZeHandle event : around.waits) {
    commands.append(WaitForSignal{object_of<Signal>(event)});
  }
  if (command) commands.append(std::move(*command));
  if (around.signal) commands.append(SetSignal{object_of<Signal>(around.signal)});
}

}  // namespace npu_emulator
