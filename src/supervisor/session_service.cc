// How sessions come by slots and turns, and what a worker's death does to them.
#include "supervisor/session_service.h"

#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/limits.h"

namespace ovenbird {
namespace {

using Clock = std::chrono::steady_clock;

SessionTable::Limits limits_of(const SupervisorOptions& options, const ServedModel& model) {
  return {.vocabulary = model.vocabulary,
          .logit_rows = model.logit_rows,
          .tokens_default = options.session_tokens};
}

}  // namespace

SessionService::SessionService(const SupervisorOptions& options, const ServedModel& model,
                               ArenaStore& store)
    : options_(options),
      model_(model),
      store_(store),
      table_(store, limits_of(options, model)),
      slots_(options.slots, options.queue),
      written_slots_(options.slots),
      began_(Clock::now()) {}

void SessionService::connect_to(ClientConnections& clients, WorkerPool& workers) {
  clients_ = &clients;
  workers_ = &workers;
}

void SessionService::take_over(Clock::time_point now) {
  table_.take_over();
  unclaimed_until_ = now + options_.unclaimed;
  for (auto& [number, session] : table_.all()) {
    const uint32_t slot =
        store_.arena().session(*session->entry).slot.load(std::memory_order_acquire);
    const bool has_rows = slot != wire::kNoSlot && slots_.restore(number, slot);
    if (has_rows) continue;
    session->forget_rows();
    table_.note_slot(*session, wire::kNoSlot);
  }
  // Those first that were being stepped: they keep their slots.
  for (const bool has_slot : {true, false}) {
    for (auto& [number, session] : table_.all()) {
      if (slots_.slot_of(number).has_value() != has_slot) continue;
      session->record.wake();  // whoever died may have left that to do
      if (session->record.is_turn_under_way()) begin_stepping(*session);
    }
  }
}

void SessionService::look(Clock::time_point now) {
  close_unclaimed(now);
  while (const auto grant = slots_.grant_next()) give_slot(*grant);
  if (!workers_->active()) return;
  for (auto& [number, session] : table_.all()) {
    if (session->record.is_turn_under_way() && !session->is_told) tell_worker(*session);
  }
}

bool SessionService::has_turns() const {
  return std::any_of(table_.all().begin(), table_.all().end(),
                     [](const auto& entry) { return entry.second->record.is_turn_under_way(); });
}

void SessionService::begin_stepping(ServedSession& session) {
  ++turns_;
  session.note_begin();
  if (is_draining_) {
    return fail_turn(session, {Code::kBusy, "turn: the supervisor is about to end"});
  }
  if (exhausted_) return fail_turn(session, *exhausted_);
  const Result<std::optional<SlotTable::Grant>> grant = slots_.begin(session.number);
  if (!grant) {
    ++refused_turns_;
    return fail_turn(session, grant.error());
  }
  if (*grant) give_slot(**grant);
}

void SessionService::give_slot(const SlotTable::Grant& grant) {
  if (ServedSession* loser = table_.find(grant.evicted)) {
    // Its tokens stay; what the slot held of them does not.
    loser->forget_rows();
    loser->is_attached = false;
    table_.note_slot(*loser, wire::kNoSlot);
    if (loser->is_closed()) table_.remove(loser->number);
  }
  ServedSession* session = table_.find(grant.session);
  if (!session) return slots_.remove(grant.session);
  table_.note_slot(*session, grant.slot);
  tell_worker(*session);
}

/// Attaches the session to the worker if that is not done, and tells of its turn. Where the worker
/// cannot take a message now, look() tries again.
void SessionService::tell_worker(ServedSession& session) {
  const std::optional<uint32_t> slot = slots_.slot_of(session.number);
  const WorkerProcess* worker = workers_->active();
  if (!slot || !worker) return;
  if (!session.is_attached) {
    std::vector<int> descriptors{session.memory.descriptor().get()};
    if (session.notice) descriptors.push_back(session.notice.descriptor());
    const Status attached =
        worker->socket().send({.type = static_cast<uint32_t>(wire::WorkerMessage::kAttach)},
                              wire::Attach{.slot = *slot,
                                           .is_written = written_slots_[*slot] ? 1u : 0u,
                                           .record_bytes = session.memory.bytes().size()},
                              {}, descriptors);
    if (!attached) return;
    written_slots_[*slot] = false;
    session.is_attached = true;
  }
  const Status told = worker->socket().send(
      {.type = static_cast<uint32_t>(wire::WorkerMessage::kTurn)}, wire::Slot{.slot = *slot});
  session.is_told = told.has_value();
}

void SessionService::turn_is_over(ServedSession& session) {
  session.is_told = false;
  session.deaths_in_row = 0;
  slots_.end(session.number);
  if (session.is_closed()) drop(session.number);
}

/// Ends a turn that no worker knows of.
void SessionService::end_turn(ServedSession& session, wire::Finish finish, const Error* error) {
  session.record.finish_turn(finish, error);
  session.give_notice();
  turn_is_over(session);
}

void SessionService::fail_turn(ServedSession& session, const Error& error) {
  end_turn(session, wire::Finish::kFailed, &error);
}

void SessionService::fail_all_turns(const Error& error) {
  const auto has_turn = [](const ServedSession& session) {
    return session.record.is_turn_under_way();
  };
  for (const uint64_t number : table_.numbers_of(has_turn)) {
    if (ServedSession* session = table_.find(number)) fail_turn(*session, error);
  }
}

/// Ends a session for its client. Its rows stay in its slot until another one needs that: a prompt
/// that begins alike may copy them.
void SessionService::close_session(ServedSession& session) {
  const uint32_t asked = session.record.header().orders.turn_asked.load(std::memory_order_relaxed);
  session.record.header().orders.turn_cancel.store(asked, std::memory_order_release);
  const bool is_stepped = session.record.is_turn_under_way() && session.is_told;
  table_.close(session);
  session.give_notice();
  if (is_stepped) return;  // the worker says when it has let go
  if (session.record.is_turn_under_way()) return end_turn(session, wire::Finish::kCancelled);
  turn_is_over(session);
}

/// A closed session is over: it stays if its rows may still be of use.
void SessionService::drop(uint64_t number) {
  const ServedSession* session = table_.find(number);
  if (session && session->is_attached && slots_.slot_of(number)) return;
  slots_.remove(number);
  table_.remove(number);
}

void SessionService::close_unclaimed(Clock::time_point now) {
  if (!unclaimed_until_ || now < *unclaimed_until_) return;
  unclaimed_until_.reset();
  on_gone(ServedSession::kNobody);
}

/// Whether a client may have another session. Errors: kBusy.
Status SessionService::check_one_more(uint64_t client) const {
  const auto is_its_own = [&](const ServedSession& session) { return session.is_of(client); };
  if (table_.numbers_of(is_its_own).size() < limits::kClientSessionsMax) return ok();
  return fail(Code::kBusy,
              "open session: one client may have " + std::to_string(limits::kClientSessionsMax));
}

void SessionService::on_gone(uint64_t client) {
  const auto is_its_own = [&](const ServedSession& session) { return session.is_of(client); };
  for (const uint64_t number : table_.numbers_of(is_its_own)) {
    if (ServedSession* session = table_.find(number)) close_session(*session);
  }
}

void SessionService::on_turn_done(uint32_t slot) {
  if (slot >= options_.slots) return;
  ServedSession* session = table_.find(slots_.session_in(slot));
  if (!session || session->record.is_turn_under_way()) return;
  workers_->note_progress();
  turn_is_over(*session);
}

void SessionService::on_death(const Death& death) {
  const uint64_t stepped =
      death.slot < options_.slots ? slots_.session_in(death.slot) : SlotTable::kNobody;
  std::vector<uint64_t> numbers;
  bool has_got_on = false;
  for (auto& [number, session] : table_.all()) {
    numbers.push_back(number);
    session->is_attached = false;
    session->is_told = false;
    const bool has_moved = session->note_death(number == stepped, death.moves_on);
    has_got_on = has_got_on || (has_moved && session->record.is_turn_under_way());
    // It may have died before it could say what it had done.
    session->record.wake();
    session->give_notice();
  }
  if (has_got_on) workers_->note_progress();
  for (const uint64_t number : numbers) {
    ServedSession& session = *table_.find(number);
    if (session.is_closed()) {
      slots_.remove(number);
      table_.remove(number);
    } else if (!session.record.is_turn_under_way()) {
      slots_.end(number);  // its turn was over, and nobody is left to say so
    }
  }
  ServedSession* guilty = table_.find(stepped);
  if (guilty && guilty->record.is_turn_under_way()) fail_guilty_turn(*guilty, death.why);
  if (workers_->fruitless_deaths() >= options_.crashes.fruitless) fail_all_turns(death.why);
}

/// A turn that ends one worker after the other would end them all.
void SessionService::fail_guilty_turn(ServedSession& session, const Error& why) {
  // Before the last try: nonsense may come of the rows in its slot. Other deaths say nothing
  // against them, and to compute them again, in other steps, may change what is said.
  if (why.code == Code::kBadOutput && session.deaths_in_row + 1 == options_.crashes.of_session) {
    session.forget_rows();
  }
  if (session.deaths_in_row < options_.crashes.of_session) return;
  fail_turn(session, {why.code, "turn: " + std::to_string(session.deaths_in_row) +
                                    " workers in a row were lost in the same step of session " +
                                    std::to_string(session.number) + "; the last: " + why.message});
}

void SessionService::end() {
  const Error error{Code::kInterrupted, "turn: the supervisor has ended"};
  const auto numbers = table_.numbers_of([](const ServedSession&) { return true; });
  for (const uint64_t number : numbers) {
    ServedSession& session = *table_.find(number);
    session.is_attached = false;
    session.is_told = false;
    if (session.record.is_turn_under_way()) fail_turn(session, error);
  }
  for (const uint64_t number : numbers) {
    if (ServedSession* session = table_.find(number)) close_session(*session);
  }
}

void SessionService::on_exhausted(const Error& why) {
  exhausted_ = why;
  if (!has_turns()) on_note(why.message);  // else each of them says so
  fail_all_turns(why);
}

void SessionService::on_note(const std::string& note) {
  if (options_.on_note) options_.on_note(note);
}

}  // namespace ovenbird
