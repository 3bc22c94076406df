// A slot of the arena at work: the session that has it, step by step.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/shared_memory.h"
#include "bundle/manifest.h"
#include "engine/engine.h"
#include "ovenbird/result.hpp"
#include "session/plan.h"
#include "session/session.h"
#include "wire/arena.h"
#include "wire/message_socket.h"
#include "wire/record.h"

namespace ovenbird {

/// What all slots of a worker compute with. Everything referred to outlives them.
struct WorkerModel {
  const Manifest& manifest;
  std::string plan;
  float width_noise = 0;
  const Engine& engine;
  std::shared_ptr<SharedGraphs> graphs;
  wire::WorkerStatus& status;
};

/// A session's record as the worker has been given it.
struct AttachedSession {
  SharedMemory memory;
  wire::Record record;           // in `memory`
  wire::MessageSocket notice;    // where a client hears that something has changed; may be none
  bool slot_is_written = false;  // the supervisor has put the session's rows into the slot
};

class SlotRunner {
 public:
  SlotRunner(const WorkerModel& model, const wire::Arena& arena, uint32_t slot);

  /// Ends a move of rows that another worker has begun. Of all slots, before any is stepped.
  /// Errors: kIo. A slot with a header that cannot be is empty then.
  Status finish_move();

  /// Takes a session up where its record says it is. Errors: kCorrupt (the record is not one of
  /// this model), those of make_plan(). Where the slot does not hold what the record says, the
  /// session's next turn computes it again.
  Status attach(AttachedSession session);

  bool is_attached() const { return session_.has_value(); }

  /// Whether there is something to step.
  bool has_turn() const { return session_ && session_->record.is_turn_under_way(); }

  enum class Outcome { kGoesOn, kTurnOver };

  /// One step of the turn under way, published before this returns. A turn that cannot be is over,
  /// and the record says why. `others`: slots whose rows may be copied where a prompt begins alike.
  /// Errors: what makes a process unfit to go on: those of Plan::step and of make_plan() but for
  /// kInvalidArgument. The record is then as after the step before.
  Result<Outcome> step(std::span<const std::unique_ptr<SlotRunner>> others);

 private:
  void detach();
  const wire::Record& record() const { return session_->record; }
  std::optional<SlotMemory> slot_memory() const;
  Status make_plan_over(std::span<float> logits);
  Result<Outcome> go_on(std::span<const std::unique_ptr<SlotRunner>> others);
  Status begin_turn(std::span<const std::unique_ptr<SlotRunner>> others);
  void take_best_prefix(std::span<const std::unique_ptr<SlotRunner>> others,
                        std::span<const int32_t> prompt);
  uint64_t common_prefix(std::span<const int32_t> prompt) const;
  Status open_conversation(const wire::Turn& turn);
  std::optional<wire::Finish> finish_reason() const;
  uint32_t sayable(std::span<const int32_t> said) const;
  void publish();
  void publish_logits();
  void publish_counts();
  Outcome finish(wire::Finish finish, const Error* error = nullptr);
  void give_notice() const;

  const WorkerModel& model_;
  const wire::Arena& arena_;
  const uint32_t slot_;
  std::optional<AttachedSession> session_;
  std::unique_ptr<Plan> plan_;
  bool writes_shared_logits_ = false;  // the plan's logits lie in the session's record

  // Of the turn that has been begun.
  uint32_t turn_number_ = 0;
  wire::Turn turn_;
  std::optional<Session> conversation_;
  wire::TurnResult counts_before_;  // of workers before this one
  std::optional<std::chrono::nanoseconds> waited_at_first_token_;
};

}  // namespace ovenbird
