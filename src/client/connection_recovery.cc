// Taking in what arrives, and finding a supervisor again that was replaced: dial, greet, claim
// every session, and only then go on.
#include <algorithm>
#include <string>
#include <utility>

#include "base/message_text.h"
#include "client/connection.h"
#include "client/event_descriptors.h"
#include "wire/fixed_text.h"

namespace ovenbird::client {
namespace {

using std::chrono::milliseconds;
using wire::ClientMessage;

constexpr milliseconds kFirstPause{10};  // between two attempts to dial; doubles
constexpr milliseconds kLongestPause{1000};

}  // namespace

Error error_of_refusal(const wire::Message& message) {
  const Result<wire::Refused> refused = message.body<wire::Refused>();
  if (!refused) return refused.error();
  const auto text = message.tail<wire::Refused>();
  return {wire::code_of(refused->code),
          one_line({reinterpret_cast<const char*>(text.data()), text.size()})};
}

void Connection::pump() {
  if (gone_) return;
  if (drain(alarm_)) ring_all();
  const Clock::time_point now = Clock::now();
  if (state_ == State::kAway) dial(now);
  if (socket_) receive_all();
  if (state_ == State::kClaiming) claim_more();
  if (state_ == State::kReady) close_more();
  const bool is_tired = state_ != State::kReady && now - away_since_ >= dialing_.patience;
  if (is_tired && was_welcome_ && !gone_) {
    give_up({Code::kNotFound, "the supervisor has gone, and none came back within " +
                                  std::to_string(dialing_.patience.count() / 1000) + " s"});
  }
}

void Connection::dial(Clock::time_point now) {
  if (now < dial_at_) return;
  Result<wire::MessageSocket> socket = dialing_.dial();
  if (socket) return greet(std::move(*socket));
  pause_ = std::min(2 * pause_, kLongestPause);
  dial_at_ = now + pause_;
  set_alarm(dial_at_);
}

void Connection::greet(wire::MessageSocket socket) {
  socket_ = std::move(socket);
  state_ = State::kGreeting;
  greeting_ = new_request();
  set_alarm(away_since_ + dialing_.patience);
  if (Status watched = add_to_event_set(events_, socket_.descriptor()); !watched) {
    return lose(watched.error());
  }
  static_cast<void>(send(Letter::of(ClientMessage::kHello, 0, wire::Hello{}), greeting_));
}

void Connection::lose(const Error& why) {
  if (gone_) return;
  const bool was_ready = state_ == State::kReady;
  socket_ = wire::MessageSocket();
  state_ = State::kAway;
  claims_.clear();
  to_claim_.clear();
  to_close_.clear();  // who is not claimed is closed
  if (!dialing_.again || !was_welcome_) {
    return give_up({Code::kNotFound, "the supervisor has gone: " + why.message});
  }
  const Clock::time_point now = Clock::now();
  if (was_ready) {
    away_since_ = now;
    pause_ = kFirstPause;
  }
  dial_at_ = now + pause_;
  set_alarm(dial_at_);
}

void Connection::give_up(const Error& why) {
  gone_ = why;
  state_ = State::kGone;
  socket_ = wire::MessageSocket();
  ring(bell_);
  ring_all();
}

void Connection::receive_all() {
  while (socket_) {
    Result<std::optional<wire::Message>> message = socket_.receive();
    if (!message) return lose(message.error());
    if (!*message) return;
    on_message(std::move(**message));
  }
}

void Connection::on_message(wire::Message message) {
  const uint32_t request = message.header.request;
  const bool is_refusal = message.header.type == static_cast<uint32_t>(ClientMessage::kRefused);
  if (state_ == State::kGreeting && request == greeting_) {
    if (is_refusal) return give_up(error_of_refusal(message));
    return on_welcome(message);
  }
  if (const auto claim = claims_.find(request); claim != claims_.end()) {
    const std::shared_ptr<SessionLink> link = std::move(claim->second);
    claims_.erase(claim);
    return on_claimed(*link, std::move(message));
  }
  if (const auto answer = answers_.find(request); answer != answers_.end()) {
    answer->second = std::move(message);
    if (has_waiter_) ring(bell_);
    return;
  }
  if (!is_refusal || request == 0) return;
  for (const std::shared_ptr<SessionLink>& link : links_) {
    if (link->request != request) continue;
    if (!link->refused) link->refused = error_of_refusal(message);
    if (link->bell) ring(link->bell);
  }
}

void Connection::on_welcome(const wire::Message& message) {
  const Result<wire::Welcome> welcome = message.body<wire::Welcome>();
  if (!welcome) return give_up(welcome.error());
  if (message.header.type != static_cast<uint32_t>(ClientMessage::kWelcome) ||
      welcome->version != wire::kWireVersion || welcome->vocabulary == 0) {
    return give_up({Code::kUnsupported,
                    "connect: what answers there is no supervisor of this "
                    "release; let both sides be of one release"});
  }
  if (was_welcome_ &&
      (welcome->model != welcome_.model || welcome->vocabulary != welcome_.vocabulary)) {
    return give_up({Code::kNotFound,
                    "the supervisor has gone, and the one that came after it "
                    "serves another model"});
  }
  if (!was_welcome_) {
    welcome_ = *welcome;
    const auto path = message.tail<wire::Welcome>();
    bundle_.assign(reinterpret_cast<const char*>(path.data()), path.size());
    was_welcome_ = true;
  }
  state_ = State::kClaiming;
  to_claim_ = links_;
  claim_more();
}

/// As many as the socket has room for; the rest when the first answers are there.
void Connection::claim_more() {
  while (!to_claim_.empty()) {
    const std::shared_ptr<SessionLink> link = to_claim_.back();
    const uint32_t request = new_request();
    const Status sent = send(
        Letter::of(ClientMessage::kClaim, link->session, wire::Claim{.key = link->key}), request);
    if (!sent) return;
    to_claim_.pop_back();
    claims_[request] = link;
  }
  if (!claims_.empty()) return;
  state_ = State::kReady;
  ++generation_;
  if (has_waiter_) ring(bell_);
  ring_all();
}

void Connection::on_claimed(SessionLink& link, wire::Message message) {
  if (!is_linked(link)) {
    to_close_.push_back(link.session);
    return;
  }
  const auto lost = [&](Error why) {
    link.lost = {Code::kNotFound, "the session is lost with its supervisor: " + why.message};
    if (link.bell) ring(link.bell);
  };
  if (message.header.type != static_cast<uint32_t>(ClientMessage::kOpened)) {
    return lost(error_of_refusal(message));
  }
  const bool wants_notice = static_cast<bool>(link.events);
  if (message.descriptors.size() != (wants_notice ? 2u : 1u)) {
    return lost({Code::kCorrupt, "the answer to a claim is none"});
  }
  // The memory must be the same: what a program has been shown of it is not taken away.
  const Result<ObjectId> object = id_of(message.descriptors[0]);
  if (!object || *object != link.object) {
    return lost({Code::kCorrupt, "its record is another one now"});
  }
  if (!wants_notice) return;
  link.notice = std::move(message.descriptors[1]);
  if (Status added = add_to_event_set(link.events, link.notice.get()); !added) {
    lost(added.error());
  }
}

void Connection::close_more() {
  while (!to_close_.empty()) {
    const Letter letter{.type = ClientMessage::kClose, .session = to_close_.back()};
    if (!send(letter, 0)) return;
    to_close_.pop_back();
  }
}

void Connection::set_alarm(Clock::time_point when) { client::set_alarm(alarm_, when); }

void Connection::ring_all() {
  for (const std::shared_ptr<SessionLink>& link : links_) {
    if (link->bell) ring(link->bell);
  }
}

}  // namespace ovenbird::client
