// Recording and changing commands.
#include "src/command_list.h"

#include "src/trace.h"

namespace npu_emulator {

void CommandList::append(Command command) {
  const std::lock_guard lock(mutex_);
  const bool has_id = id_is_pending_ && std::holds_alternative<Execute>(command);
  if (has_id) id_is_pending_ = false;
  entries_.push_back({has_id ? last_id_ : 0, std::move(command)});
}

uint64_t CommandList::next_id() {
  const std::lock_guard lock(mutex_);
  id_is_pending_ = true;
  return ++last_id_;
}

ZeResult CommandList::rebind(uint64_t id, uint32_t index, const void* address) {
  const std::lock_guard lock(mutex_);
  for (Entry& entry : entries_) {
    auto* execute = std::get_if<Execute>(&entry.command);
    if (!execute || entry.id != id) continue;
    const Graph& graph = *execute->graph;
    if (const ZeResult result = graph.check_argument(index, address);
        result != ZeResult::kSuccess) {
      return result;
    }
    execute->addresses[index] = const_cast<void*>(address);
    is_closed_ = false;
    trace("rebind", {{"graph", graph.id()},
                     {"index", index},
                     {"name", graph.arguments()[index].name},
                     {"address", address_text(address)}});
    return ZeResult::kSuccess;
  }
  return ZeResult::kInvalidArgument;
}

void CommandList::close() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
}

void CommandList::reset() {
  const std::lock_guard lock(mutex_);
  entries_.clear();
  is_closed_ = false;
}

bool CommandList::is_closed() const {
  const std::lock_guard lock(mutex_);
  return is_closed_;
}

std::vector<Command> CommandList::commands() const {
  const std::lock_guard lock(mutex_);
  std::vector<Command> commands;
  for (const Entry& entry : entries_) commands.push_back(entry.command);
  return commands;
}

}  // namespace npu_emulator
