// What the device does with commands.
#pragma once

#include <functional>
#include <vector>

#include "src/command_list.h"

namespace npu_emulator {

/// Runs commands in their order until one fails. `on_hang` is called before a command that will
/// never end.
ZeResult execute(const std::vector<Command>& commands, const std::function<void()>& on_hang);

}  // namespace npu_emulator
