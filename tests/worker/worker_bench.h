// A worker's slots over the toy model, and the supervisor's side of their records.
#pragma once

#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/page_memory.h"
#include "fakes/fake_engine.h"
#include "fakes/toy_bundle.h"
#include "session/plan.h"
#include "worker/slot_runner.h"

namespace ovenbird {

using Ids = std::vector<int32_t>;

/// Shared bytes that outlive workers.
struct SharedBytes {
  explicit SharedBytes(const Manifest& manifest, const std::string& plan, uint32_t slots);
  PageMemory memory;
  wire::Arena arena;
};

/// One process: an engine, and a runner for each slot.
struct ToyWorker {
  ToyWorker(const Manifest& manifest, const GraphSet& set, const wire::Arena& arena);
  FakeEngine engine;
  WorkerModel model;
  std::vector<std::unique_ptr<SlotRunner>> runners;
};

/// A session's record, made and written as a supervisor does.
class ToySession {
 public:
  ToySession(const Manifest& manifest, uint32_t logit_rows, uint32_t tokens_max = 4096);

  const wire::Record& record() const { return record_; }

  /// A second mapping, as a worker gets it.
  AttachedSession attached() const;

  /// Asks for a turn behind the first `keep` tokens. `turn` says how.
  void ask(uint32_t keep, const Ids& tokens, wire::Turn turn);

  Ids tokens() const;
  wire::Finish finish() const;

 private:
  SharedMemory memory_;
  wire::Record record_;
};

/// Steps a slot until its turn is over, at most `steps` times. Returns how many steps it took.
size_t run_turn(ToyWorker& worker, uint32_t slot, size_t steps = 10000);

}  // namespace ovenbird
