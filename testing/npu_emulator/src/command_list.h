// Commands for the device, recorded once and submitted as often as one likes.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <variant>
#include <vector>

#include "src/graph.h"
#include "src/signal.h"

namespace npu_emulator {

struct Execute {
  std::shared_ptr<Graph> graph;
  std::vector<void*> addresses;  // one for each argument, as they were when it was recorded
};
struct CopyBytes {
  void* to;
  const void* from;
  size_t bytes;
};
struct WriteTimestamp {
  uint64_t* to;
};
struct SetSignal {
  std::shared_ptr<Signal> signal;
};
struct ResetSignal {
  std::shared_ptr<Signal> signal;
};
struct WaitForSignal {
  std::shared_ptr<Signal> signal;
};
using Command =
    std::variant<Execute, CopyBytes, WriteTimestamp, SetSignal, ResetSignal, WaitForSignal>;

class CommandList {
 public:
  void append(Command command);

  /// The id under which the next execution can be changed later.
  uint64_t next_id();

  /// Points an argument of a recorded execution elsewhere; the list must be closed again.
  /// Errors: kInvalidArgument (no such command), and what Graph::check_argument gives.
  ZeResult rebind(uint64_t id, uint32_t index, const void* address);

  void close();
  void reset();
  bool is_closed() const;

  /// What a queue runs: the commands as they are now.
  std::vector<Command> commands() const;

 private:
  struct Entry {
    uint64_t id;  // 0: cannot be changed
    Command command;
  };

  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
  uint64_t last_id_ = 0;
  bool id_is_pending_ = false;
  bool is_closed_ = false;
};

}  // namespace npu_emulator
