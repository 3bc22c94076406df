// What clients ask for, and how sessions come by slots, turns and workers.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "supervisor/arena_store.h"
#include "supervisor/client_connections.h"
#include "supervisor/served_session.h"
#include "supervisor/slot_table.h"
#include "supervisor/supervisor_options.h"
#include "supervisor/worker_pool.h"

namespace ovenbird {

/// What a bundle is to a supervisor.
struct ServedModel {
  std::string path;  // of the bundle's directory
  std::string plan;
  uint32_t vocabulary = 0;
  uint32_t context = 0;     // tokens that are seen at once
  uint32_t logit_rows = 0;  // of a record with logits
  uint32_t kv_heads = 0;
  uint32_t row_bytes = 0;  // of one head of the cache
};

class SessionService : public ClientConnections::Owner, public WorkerEvents {
 public:
  /// All of these outlive it; connect_to() comes before anything else.
  SessionService(const SupervisorOptions& options, const ServedModel& model, ArenaStore& store);
  void connect_to(ClientConnections& clients, WorkerPool& workers);

  /// Sessions of a supervisor that was killed, with the slots that they had.
  void take_over(std::chrono::steady_clock::time_point now);

  /// Gives slots to who waits, and tells the worker of turns it does not know. After every round of
  /// the event loop.
  void look(std::chrono::steady_clock::time_point now);

  /// New turns are refused from now on.
  void begin_drain() { is_draining_ = true; }

  /// Ends all turns and sessions. No worker is there any more.
  void end();
  bool has_turns() const;

  // ClientConnections::Owner
  Status on_message(uint64_t client, wire::Message message) override;
  void on_gone(uint64_t client) override;

  // WorkerEvents
  void on_turn_done(uint32_t slot) override;
  void on_death(const Death& death) override;
  void on_exhausted(const Error& why) override;
  void on_note(const std::string& note) override;

 private:
  struct Request {
    uint64_t client = 0;
    wire::Message message;
  };

  Status hello(Request& request);
  Status open(Request& request);
  Status claim(Request& request);
  Status feed(Request& request);
  Status turn(Request& request);
  Status cancel(Request& request);
  Status close(Request& request);
  Status fork(Request& request);
  Status save(Request& request);
  Status load(Request& request);
  Status statistics(Request& request);

  Result<ServedSession*> session_of(const Request& request);
  Result<ServedSession*> idle_session_of(const Request& request);
  void answer_opened(const Request& request, const ServedSession& session);
  Status begin_turn(ServedSession& session, const wire::AskTurn& ask,
                    std::span<const std::byte> tail);
  void begin_stepping(ServedSession& session);
  void give_slot(const SlotTable::Grant& grant);
  void tell_worker(ServedSession& session);
  void turn_is_over(ServedSession& session);
  void end_turn(ServedSession& session, wire::Finish finish, const Error* error = nullptr);
  void fail_turn(ServedSession& session, const Error& error);
  void fail_guilty_turn(ServedSession& session, const Error& why);
  void fail_all_turns(const Error& error);
  void close_session(ServedSession& session);
  void drop(uint64_t number);
  void close_unclaimed(std::chrono::steady_clock::time_point now);
  Status check_one_more(uint64_t client) const;

  const SupervisorOptions& options_;
  const ServedModel& model_;
  ArenaStore& store_;
  SessionTable table_;
  SlotTable slots_;
  std::vector<bool> written_slots_;  // by us, since the worker was last told
  ClientConnections* clients_ = nullptr;
  WorkerPool* workers_ = nullptr;
  std::chrono::steady_clock::time_point began_;
  std::optional<std::chrono::steady_clock::time_point> unclaimed_until_;
  std::optional<Error> exhausted_;
  bool is_draining_ = false;
  uint64_t turns_ = 0;
  uint64_t refused_turns_ = 0;
};

}  // namespace ovenbird
