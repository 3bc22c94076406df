// Questions and answers. What happens when a supervisor goes stands in connection_recovery.cc.
#include "client/connection.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "client/event_descriptors.h"

namespace ovenbird::client {
namespace {

using std::chrono::milliseconds;
using wire::ClientMessage;

constexpr std::chrono::seconds kWelcomeTime{10};
constexpr std::chrono::seconds kAnswerTime{60};  // a session of gigabytes is saved in a few
constexpr milliseconds kRoomPause{2};            // until a full socket is tried again

ClientMessage type_of(const wire::Message& message) {
  return static_cast<ClientMessage>(message.header.type);
}

}  // namespace

Result<std::shared_ptr<Connection>> Connection::open(Dialing dialing) {
  std::shared_ptr<Connection> made(new Connection(std::move(dialing)));
  if (Status prepared = made->prepare(); !prepared) return Failure{prepared.error()};
  Result<wire::MessageSocket> socket = made->dialing_.dial();
  if (!socket) return Failure{socket.error()};
  std::unique_lock lock(made->mutex_);
  const Clock::time_point until = Clock::now() + kWelcomeTime;
  made->away_since_ = Clock::now();
  made->greet(std::move(*socket));
  for (made->pump(); made->state_ != State::kReady; made->pump()) {
    if (made->gone_) return Failure{*made->gone_};
    if (Clock::now() >= until) {
      return fail(Code::kInterrupted, "connect: the supervisor has not answered within " +
                                          std::to_string(kWelcomeTime.count()) + " s");
    }
    made->wait(lock, until);
  }
  return made;
}

Status Connection::prepare() {
  Result<FileDescriptor> events = make_event_set();
  if (!events) return Failure{events.error()};
  Result<FileDescriptor> alarm = make_alarm();
  if (!alarm) return Failure{alarm.error()};
  Result<FileDescriptor> bell = make_bell();
  if (!bell) return Failure{bell.error()};
  events_ = std::move(*events);
  alarm_ = std::move(*alarm);
  bell_ = std::move(*bell);
  if (Status added = add_to_event_set(events_, alarm_.get()); !added) return added;
  return add_to_event_set(events_, bell_.get());
}

Result<wire::Message> Connection::ask(const Letter& letter, ClientMessage wanted) {
  std::unique_lock lock(mutex_);
  const Clock::time_point until = Clock::now() + kAnswerTime;
  const uint32_t request = new_request();
  answers_[request];
  uint32_t sent_in = 0;  // which generation has been asked
  for (;;) {
    pump();
    Clock::time_point next_look = until;
    if (answers_[request]) {
      wire::Message answer = std::move(*answers_[request]);
      answers_.erase(request);
      if (type_of(answer) == ClientMessage::kRefused) return Failure{error_of_refusal(answer)};
      if (type_of(answer) == wanted) return answer;
      return fail(Code::kCorrupt, "ask the supervisor: its answer is a message of type " +
                                      std::to_string(answer.header.type));
    }
    if (state_ == State::kReady && sent_in != generation_) {
      const Status sent = send(letter, request);
      if (sent) sent_in = generation_;
      if (!sent && sent.error().code == Code::kBusy) next_look = Clock::now() + kRoomPause;
      if (!sent && sent.error().code == Code::kInvalidArgument) give_up(sent.error());
    }
    if (gone_ || Clock::now() >= until) {
      answers_.erase(request);
      if (gone_) return Failure{*gone_};
      return fail(Code::kInterrupted, "ask the supervisor: no answer within " +
                                          std::to_string(kAnswerTime.count()) + " s");
    }
    wait(lock, next_look);
  }
}

Result<SessionLink> Connection::linked(const wire::Opened& opened, wire::Message message,
                                       bool is_pollable) {
  const size_t descriptors = message.descriptors.size();
  const size_t bytes_max = wire::Record::bytes_for(limits::kSessionTokensMax, limits::kLogitRowsMax,
                                                   welcome_.vocabulary);
  if (descriptors != (is_pollable ? 2u : 1u) || opened.session == 0 ||
      opened.record_bytes > bytes_max) {
    return fail(Code::kCorrupt, "open session: the supervisor's answer is none");
  }
  SessionLink link{.session = opened.session, .key = opened.key};
  const Result<ObjectId> object = id_of(message.descriptors[0]);
  if (!object) return Failure{object.error()};
  link.object = *object;
  Result<SharedMemory> memory =
      SharedMemory::map(std::move(message.descriptors[0]), opened.record_bytes, Access::kRead);
  if (!memory) return fail_in("open session", memory.error());
  link.memory = std::move(*memory);
  const Result<wire::Record> record = wire::Record::open(link.memory.bytes());
  if (!record) return fail_in("open session", record.error());
  if (record->shape().session != link.session ||
      record->shape().vocabulary != welcome_.vocabulary) {
    return fail(Code::kCorrupt, "open session: the record is another session's");
  }
  link.record = *record;
  if (!is_pollable) return link;
  Result<FileDescriptor> events = make_event_set();
  if (!events) return Failure{events.error()};
  Result<FileDescriptor> bell = make_bell();
  if (!bell) return Failure{bell.error()};
  link.events = std::move(*events);
  link.bell = std::move(*bell);
  link.notice = std::move(message.descriptors[1]);
  for (const int watched : {events_.get(), link.bell.get(), link.notice.get()}) {
    if (Status added = add_to_event_set(link.events, watched); !added) {
      return Failure{added.error()};
    }
  }
  return link;
}

Result<std::shared_ptr<SessionLink>> Connection::take(wire::Message message, bool is_pollable) {
  const Result<wire::Opened> opened = message.body<wire::Opened>();
  if (!opened) return Failure{opened.error()};
  Result<SessionLink> link = linked(*opened, std::move(message), is_pollable);
  const std::lock_guard lock(mutex_);
  if (!link) {
    to_close_.push_back(opened->session);
    return Failure{link.error()};
  }
  auto shared = std::make_shared<SessionLink>(std::move(*link));
  links_.push_back(shared);
  return shared;
}

void Connection::drop(const std::shared_ptr<SessionLink>& link) {
  const std::lock_guard lock(mutex_);
  std::erase(links_, link);
  std::erase(to_claim_, link);
  to_close_.push_back(link->session);
  pump();
}

Connection::View Connection::look(SessionLink& link) {
  const std::lock_guard lock(mutex_);
  if (link.notice && drain_socket(link.notice) == Drained::kPeerGone) {
    // It would be readable for ever; the connection says when its supervisor has gone.
    link.notice = FileDescriptor(-1);
  }
  if (link.bell && !link.lost && !gone_) drain(link.bell);
  pump();
  return {.generation = state_ == State::kReady ? generation_ : 0,
          .refused = link.refused,
          .lost = gone_ ? gone_ : link.lost};
}

void Connection::begin_turn(SessionLink& link) {
  const std::lock_guard lock(mutex_);
  link.request = new_request();
  link.refused.reset();
}

Connection::Sent Connection::tell(SessionLink& link, const Letter& letter) {
  const std::lock_guard lock(mutex_);
  if (state_ != State::kReady) return Sent::kNobodyThere;
  const Status sent = send(letter, link.request);
  if (sent) return Sent::kYes;
  if (sent.error().code != Code::kBusy) return Sent::kNobodyThere;
  set_alarm(Clock::now() + kRoomPause);
  return Sent::kNoRoom;
}

void Connection::wait(milliseconds time) {
  std::unique_lock lock(mutex_);
  wait(lock, Clock::now() + time);
}

void Connection::wait(std::unique_lock<std::mutex>& lock, Clock::time_point until) {
  if (has_waiter_) {
    returned_.wait_until(lock, until);
    return;
  }
  has_waiter_ = true;
  lock.unlock();
  sleep_on(events_, until);
  lock.lock();
  has_waiter_ = false;
  // By nobody else: who sleeps on it would sleep on. Once all is over it rings for whoever polls.
  if (!gone_) drain(bell_);
  // Whoever waited for this thread: one of them is the next to wait on the socket.
  returned_.notify_all();
}

Status Connection::send(const Letter& letter, uint32_t request) {
  const wire::MessageHeader header{
      .type = static_cast<uint32_t>(letter.type), .request = request, .session = letter.session};
  const std::span descriptors(&letter.descriptor, letter.descriptor >= 0 ? 1 : 0);
  const Status sent = socket_.send(header, std::span<const std::byte>(letter.body), letter.tail,
                                   descriptors, wire::MessageSocket::Wait::kNever);
  const bool is_broken =
      !sent && sent.error().code != Code::kBusy && sent.error().code != Code::kInvalidArgument;
  if (is_broken) lose(sent.error());
  return sent;
}

uint32_t Connection::new_request() {
  // 0 means that no answer is wanted.
  do ++last_request_;
  while (last_request_ == 0 || answers_.count(last_request_) != 0);
  return last_request_;
}

bool Connection::is_linked(const SessionLink& link) const {
  return std::any_of(links_.begin(), links_.end(),
                     [&](const auto& other) { return other.get() == &link; });
}

}  // namespace ovenbird::client
