// Records and their entries.
#include "supervisor/served_session.h"

#include <sys/random.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/limits.h"

namespace ovenbird {
namespace {

Result<uint64_t> random_key() {
  uint64_t key = 0;
  if (::getrandom(&key, sizeof key, 0) != ssize_t{sizeof key}) {
    return fail(Code::kIo, "open session: no random bytes are to be had");
  }
  return key;
}

/// More, the further a turn has come: tokens first.
uint64_t in_order(wire::Point point) { return uint64_t{point.tokens} << 32 | point.computed; }

}  // namespace

void ServedSession::give_notice() const {
  if (notice) static_cast<void>(notice.send({}, {}, {}, {}, wire::MessageSocket::Wait::kNever));
}

void ServedSession::note_begin() { furthest = in_order(record.point()); }

bool ServedSession::note_death(bool in_its_step, bool moves_on) {
  const uint64_t point = in_order(record.point());
  const bool has_got_on = point > furthest;
  furthest = std::max(furthest, point);
  if (has_got_on) deaths_in_row = 0;
  if (in_its_step) ++deaths_in_row;
  if (moves_on) deaths_in_row = 0;  // another device may do what this one could not
  return has_got_on;
}

void ServedSession::forget_rows() const {
  record.set_point({.tokens = record.point().tokens, .computed = 0});
}

std::optional<uint32_t> SessionTable::free_entry() const {
  for (uint32_t index = 0; index < store_.arena().shape().sessions_max; ++index) {
    if (store_.arena().session(index).session.load(std::memory_order_relaxed) == 0) return index;
  }
  return std::nullopt;
}

/// A worker gives notice at one end, the client polls the other.
Status SessionTable::give_notice_socket(ServedSession& session) const {
  Result<std::array<wire::MessageSocket, 2>> ends = wire::socket_pair();
  if (!ends) return Failure{ends.error()};
  session.notice = std::move((*ends)[0]);
  session.client_notice = std::move((*ends)[1]);
  return ok();
}

Result<std::unique_ptr<ServedSession>> SessionTable::make(const wire::Open& how) {
  const uint32_t tokens_max = how.tokens_max ? how.tokens_max : limits_.tokens_default;
  if (tokens_max > limits::kSessionTokensMax) {
    return fail(Code::kInvalidArgument, "open session: tokens_max may be at most " +
                                            std::to_string(limits::kSessionTokensMax));
  }
  const uint32_t logit_rows = (how.flags & wire::kWithLogits) ? limits_.logit_rows : 0;
  const uint64_t number = next_number_++;
  const wire::Record::Shape shape{.session = number,
                                  .vocabulary = limits_.vocabulary,
                                  .tokens_max = tokens_max,
                                  .logit_rows = logit_rows};
  const size_t bytes = wire::Record::bytes_for(tokens_max, logit_rows, limits_.vocabulary);
  const Result<uint64_t> key = random_key();
  if (!key) return Failure{key.error()};
  Result<SharedMemory> memory = store_.create_record(number, bytes);
  if (!memory) return fail_in("open session", memory.error());
  const wire::Record record = wire::Record::create(memory->bytes(), shape);
  auto made = std::unique_ptr<ServedSession>(new ServedSession{
      .number = number, .key = *key, .memory = std::move(*memory), .record = record});
  if ((how.flags & wire::kWithNotice) != 0) {
    if (Status given = give_notice_socket(*made); !given) {
      store_.remove_record(number);
      return Failure{given.error()};
    }
  }
  return made;
}

Result<ServedSession*> SessionTable::open(const wire::Open& how, uint64_t client) {
  const std::optional<uint32_t> entry = free_entry();
  if (!entry) {
    return fail(Code::kBusy, "open session: " + std::to_string(open_) +
                                 " are open, which is all there may be; see --sessions");
  }
  Result<std::unique_ptr<ServedSession>> made = make(how);
  if (!made) return Failure{made.error()};
  ServedSession& session = **made;
  session.client = client;
  session.entry = entry;
  wire::SessionEntry& place = store_.arena().session(*entry);
  place.key = session.key;
  place.record_bytes = session.memory.bytes().size();
  place.wants_notice = session.notice ? 1 : 0;
  place.slot.store(wire::kNoSlot, std::memory_order_relaxed);
  place.session.store(session.number, std::memory_order_release);
  ++open_;
  return (sessions_[session.number] = std::move(*made)).get();
}

std::unique_ptr<ServedSession> SessionTable::take_over_entry(uint32_t index) {
  const wire::SessionEntry& place = store_.arena().session(index);
  const uint64_t number = place.session.load(std::memory_order_acquire);
  Result<SharedMemory> memory = store_.open_record(number);
  if (!memory || sessions_.count(number) != 0) return nullptr;
  const Result<wire::Record> record = wire::Record::open(memory->bytes());
  if (!record || record->shape().session != number ||
      record->shape().vocabulary != limits_.vocabulary) {
    return nullptr;
  }
  auto session = std::unique_ptr<ServedSession>(new ServedSession{
      .number = number, .key = place.key, .memory = std::move(*memory), .record = *record});
  session->entry = index;
  if (place.wants_notice != 0 && !give_notice_socket(*session)) return nullptr;
  return session;
}

void SessionTable::take_over() {
  for (uint32_t index = 0; index < store_.arena().shape().sessions_max; ++index) {
    wire::SessionEntry& place = store_.arena().session(index);
    const uint64_t number = place.session.load(std::memory_order_acquire);
    if (number == 0) continue;
    next_number_ = std::max(next_number_, number + 1);
    std::unique_ptr<ServedSession> session = take_over_entry(index);
    if (!session) {
      place.session.store(0, std::memory_order_release);
      store_.remove_record(number);
      continue;
    }
    ++open_;
    sessions_[number] = std::move(session);
  }
  std::set<uint64_t> numbers;
  for (const auto& [number, session] : sessions_) numbers.insert(number);
  store_.remove_records_but(numbers);
}

void SessionTable::close(ServedSession& session) {
  if (session.is_closed()) return;
  store_.arena().session(*session.entry).session.store(0, std::memory_order_release);
  store_.remove_record(session.number);
  session.entry.reset();
  session.client = ServedSession::kNobody;
  session.record.header().orders.is_over.store(1, std::memory_order_release);
  session.record.wake();
  --open_;
}

void SessionTable::remove(uint64_t number) { sessions_.erase(number); }

ServedSession* SessionTable::find(uint64_t number) {
  const auto found = sessions_.find(number);
  return found == sessions_.end() ? nullptr : found->second.get();
}

void SessionTable::note_slot(const ServedSession& session, uint32_t slot) const {
  if (session.is_closed()) return;
  store_.arena().session(*session.entry).slot.store(slot, std::memory_order_release);
}

}  // namespace ovenbird
