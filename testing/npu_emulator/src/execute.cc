// Executions with their faults; the other commands.
#include "src/execute.h"

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "src/faults.h"
#include "src/host_writes.h"
#include "src/memory.h"
#include "src/trace.h"

namespace npu_emulator {
namespace {

using Clock = std::chrono::steady_clock;

Json arguments_json(const Graph& graph, const std::vector<void*>& addresses) {
  Json list = Json::array();
  for (size_t index = 0; index < addresses.size(); ++index) {
    const Argument& argument = graph.arguments()[index];
    const auto memory = device_memory().find(addresses[index]);
    list.push_back({{"name", argument.name},
                    {"input", argument.is_input},
                    {"address", address_text(addresses[index])},
                    {"bytes", argument.bytes},
                    {"memory", memory ? name_of(memory->kind) : "unknown"},
                    {"id", memory ? memory->id : 0}});
  }
  return list;
}

void fill_outputs(const Execute& command, int byte) {
  for (size_t index = 0; index < command.addresses.size(); ++index) {
    const Argument& argument = command.graph->arguments()[index];
    if (!argument.is_input) std::memset(command.addresses[index], byte, argument.bytes);
  }
}

/// What a fault does instead of, or before, the computing; nothing: go on and compute.
std::optional<ZeResult> suffer(const Fault& fault, const Execute& command,
                               const std::function<void()>& on_hang) {
  std::this_thread::sleep_for(fault.delay);
  switch (fault.kind) {
    case FaultKind::kDeviceLost:
      lose_device();
      return ZeResult::kDeviceLost;
    case FaultKind::kDeviceReset:
      return ZeResult::kDeviceLost;
    case FaultKind::kJobError:
      return ZeResult::kUnknown;
    case FaultKind::kRunOutOfMemory:
      return ZeResult::kOutOfDeviceMemory;
    case FaultKind::kGarbage:
      fill_outputs(command, 0xff);
      return ZeResult::kSuccess;
    case FaultKind::kZeros:
      fill_outputs(command, 0);
      return ZeResult::kSuccess;
    case FaultKind::kCrash:
      std::abort();
    case FaultKind::kSegfault:
      std::raise(SIGSEGV);
      break;
    case FaultKind::kHang:
      on_hang();
      for (;;) ::pause();
    default:
      break;
  }
  return std::nullopt;
}

ZeResult run(const Execute& command, const std::function<void()>& on_hang) {
  if (is_device_lost()) return ZeResult::kDeviceLost;
  const bool watch = is_tracing() && settings().trace_writes;
  const uint64_t execution = count_call(Call::kExecution);
  if (const auto fault = fault_at(Call::kExecution, execution)) {
    if (const auto result = suffer(*fault, command, on_hang)) {
      if (watch) host_writes().device_wrote(*command.graph, command.addresses);
      return *result;
    }
  }
  const uint64_t changed = watch ? host_writes().look(*command.graph, command.addresses) : 0;
  const auto begin = Clock::now();
  const std::string why = command.graph->model().run(command.addresses);
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin);
  if (watch) host_writes().device_wrote(*command.graph, command.addresses);
  if (is_tracing()) {
    Json members{{"execution", execution},
                 {"graph", command.graph->id()},
                 {"us", took.count()},
                 {"arguments", arguments_json(*command.graph, command.addresses)}};
    if (watch) members["host_wrote_bytes"] = changed;
    if (!why.empty()) members["failed"] = why;
    trace("execute", members);
  }
  return why.empty() ? ZeResult::kSuccess : ZeResult::kUnknown;
}

ZeResult run(const CopyBytes& copy, const std::function<void()>&) {
  std::memcpy(copy.to, copy.from, copy.bytes);
  trace("memory_copy", {{"bytes", copy.bytes}});
  return ZeResult::kSuccess;
}

ZeResult run(const WriteTimestamp& stamp, const std::function<void()>&) {
  *stamp.to = static_cast<uint64_t>(Clock::now().time_since_epoch().count());
  return ZeResult::kSuccess;
}

ZeResult run(const SetSignal& command, const std::function<void()>&) {
  command.signal->set(ZeResult::kSuccess);
  return ZeResult::kSuccess;
}

ZeResult run(const ResetSignal& command, const std::function<void()>&) {
  command.signal->reset();
  return ZeResult::kSuccess;
}

ZeResult run(const WaitForSignal& command, const std::function<void()>&) {
  return command.signal->wait(UINT64_MAX);
}

}  // namespace

ZeResult execute(const std::vector<Command>& commands, const std::function<void()>& on_hang) {
  for (const Command& command : commands) {
    const ZeResult result =
        std::visit([&](const auto& known) { return run(known, on_hang); }, command);
    if (result != ZeResult::kSuccess) return result;
  }
  return ZeResult::kSuccess;
}

}  // namespace npu_emulator
