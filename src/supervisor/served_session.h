// A session as the supervisor keeps it, and the table of all of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/shared_memory.h"
#include "ovenbird/result.hpp"
#include "supervisor/arena_store.h"
#include "wire/client_protocol.h"
#include "wire/message_socket.h"
#include "wire/record.h"

namespace ovenbird {

struct ServedSession {
  static constexpr uint64_t kNobody = 0;

  uint64_t number = 0;
  uint64_t key = 0;
  uint64_t client = kNobody;  // whose connection it belongs to
  SharedMemory memory;
  wire::Record record;
  wire::MessageSocket notice;         // the worker's end; none: no notice is wanted
  wire::MessageSocket client_notice;  // the client's end, kept for one who claims the session
  std::optional<uint32_t> entry;      // in the arena's table; none: closed, only its rows are left
  bool is_attached = false;           // the worker that is active has it
  bool is_told = false;               // ... and knows of its turn
  uint32_t deaths_in_row = 0;         // of workers on one device, in its own step, at one point
  uint64_t furthest = 0;              // point of the turn under way, or of the last one

  bool is_closed() const { return !entry.has_value(); }
  /// Whether it is open, and this client's.
  bool is_of(uint64_t whom) const { return client == whom && !is_closed(); }

  /// Wakes a client that polls. One that does not read has unread notices, and needs no more.
  void give_notice() const;

  /// A turn begins: its progress is measured from here.
  void note_begin();

  /// A worker has died, perhaps in this session's step; `moves_on`: the next one is on another
  /// device. Returns whether the turn has got further than at the deaths before.
  bool note_death(bool in_its_step, bool moves_on);

  /// Has the worker compute again what lies in the session's slot.
  void forget_rows() const;
};

/// Makes, finds and removes sessions, with their records and their entries in the arena.
class SessionTable {
 public:
  struct Limits {
    uint32_t vocabulary = 0;
    uint32_t logit_rows = 0;      // of a record with logits
    uint32_t tokens_default = 0;  // of a record that does not say
  };

  SessionTable(ArenaStore& store, const Limits& limits) : store_(store), limits_(limits) {}

  /// A new session without tokens. Errors: kBusy (as many are open as may be), kInvalidArgument (a
  /// number is out of range), kIo.
  Result<ServedSession*> open(const wire::Open& how, uint64_t client);

  /// Takes up those of a supervisor that was killed; they are nobody's until they are claimed.
  void take_over();

  /// Ends it for its client. Its record stays as long as something refers to it: remove().
  void close(ServedSession& session);

  /// Its record is gone, and its number means nothing any more.
  void remove(uint64_t number);

  ServedSession* find(uint64_t number);
  using Sessions = std::map<uint64_t, std::unique_ptr<ServedSession>>;
  Sessions& all() { return sessions_; }
  const Sessions& all() const { return sessions_; }
  /// Numbers of those of which `is_wanted(session)`: what is done to one of them may remove others.
  template <typename IsWanted>
  std::vector<uint64_t> numbers_of(IsWanted is_wanted) const {
    std::vector<uint64_t> numbers;
    for (const auto& [number, session] : sessions_) {
      if (is_wanted(*session)) numbers.push_back(number);
    }
    return numbers;
  }
  size_t open_sessions() const { return open_; }

  /// Where the arena's table says that a session has its slot.
  void note_slot(const ServedSession& session, uint32_t slot) const;

 private:
  Result<std::unique_ptr<ServedSession>> make(const wire::Open& how);
  std::optional<uint32_t> free_entry() const;
  std::unique_ptr<ServedSession> take_over_entry(uint32_t index);
  Status give_notice_socket(ServedSession& session) const;

  ArenaStore& store_;
  Limits limits_;
  Sessions sessions_;
  size_t open_ = 0;
  uint64_t next_number_ = 1;
};

}  // namespace ovenbird
