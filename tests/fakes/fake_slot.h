// A slot of the arena as the fake worker steps it: rows hold links of the chain of hashes, and what
// is said comes from the rows, as with a model. So rows that are another session's, or lost, show.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/shared_memory.h"
#include "wire/arena.h"
#include "wire/message_socket.h"
#include "wire/record.h"

namespace ovenbird {

/// What all slots of a process refer to.
struct FakeProcess {
  wire::Arena arena;
  wire::WorkerStatus& status;
  /// Does what is ordered at this place, which may end the process.
  std::function<void(const std::string& place, uint32_t slot)> reach;
  /// Ends the process: what only a supervisor's mistake can bring about was seen.
  std::function<void(const std::string& what, uint32_t slot)> refuse;
};

class FakeSlot {
 public:
  static constexpr uint32_t kChunk = 16;         // tokens of a prompt that one step computes
  static constexpr uint32_t kCapacityStep = 32;  // rows that a slot grows by

  FakeSlot(const FakeProcess& process, uint32_t slot) : process_(process), slot_(slot) {}

  void attach(SharedMemory memory, const wire::Record& record, wire::MessageSocket notice);
  bool has_turn() const { return record_ && record_->is_turn_under_way(); }

  /// One step, published as a worker does. True: the turn is over.
  bool step(std::span<const std::unique_ptr<FakeSlot>> others);

 private:
  void detach();
  void begin_turn(std::span<const std::unique_ptr<FakeSlot>> others);
  void share_prefix(std::span<const std::unique_ptr<FakeSlot>> others);
  uint32_t common_prefix(std::span<const int32_t> prompt) const;
  uint64_t compute(uint32_t begin, uint32_t end);
  void publish_logits(uint32_t computed);
  std::optional<wire::Finish> finish_reason() const;
  bool finish(wire::Finish finish);
  void give_notice() const;

  bool has_rows() const { return process_.arena.shape().tensors > 0; }
  uint32_t dropped() const;
  void set_computed(uint32_t computed) const;
  void make_room(uint32_t end);
  std::span<std::byte> row(uint32_t tensor, uint32_t head, uint32_t row) const;
  void write_link(uint32_t position, uint64_t link);
  uint64_t link_behind(uint32_t tokens) const;
  void store(const std::string& place = "store") const { process_.reach(place, slot_); }

  const FakeProcess& process_;
  const uint32_t slot_;
  SharedMemory memory_;
  std::optional<wire::Record> record_;
  wire::MessageSocket notice_;
  uint32_t turn_number_ = 0;
  wire::Turn turn_;
  std::vector<uint64_t> own_rows_;  // of a plan without a cache: they die with the process
};

}  // namespace ovenbird
