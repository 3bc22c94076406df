// A client's connection to its supervisor: questions and answers, and finding it again when it was
// replaced. Nothing here knows what a turn is.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "client/session_link.h"
#include "ovenbird/result.hpp"
#include "wire/client_protocol.h"
#include "wire/message_socket.h"

namespace ovenbird::client {

using Clock = std::chrono::steady_clock;

/// A message on its way out. Its body and tail are copied, so that it can be sent again.
struct Letter {
  wire::ClientMessage type{};
  uint64_t session = 0;
  std::vector<std::byte> body;
  std::vector<std::byte> tail;
  int descriptor = -1;  // beside it; stays the caller's

  template <typename Body>
  static Letter of(wire::ClientMessage type, uint64_t session, const Body& body) {
    const auto bytes = std::as_bytes(std::span(&body, 1));
    return {.type = type, .session = session, .body = {bytes.begin(), bytes.end()}};
  }
};

/// Where the supervisor is.
struct Dialing {
  std::function<Result<wire::MessageSocket>()> dial;
  bool again = false;                          // a supervisor that has gone may come back
  std::chrono::milliseconds patience{30'000};  // so long
};

/// Any thread. One of the threads that wait does so on the socket; the others wait for it.
class Connection {
 public:
  /// Dials and greets. Blocks for 10 s at most. Errors: those of dialing; kUnsupported (another
  /// version), kInterrupted (no answer), kCorrupt.
  static Result<std::shared_ptr<Connection>> open(Dialing dialing);

  const wire::Welcome& welcome() const { return welcome_; }
  const std::string& bundle() const { return bundle_; }

  /// Sends a question and blocks until it is answered, across a supervisor's replacement. Errors:
  /// what the supervisor refused; kNotFound (it is gone), kInterrupted (no answer within a minute),
  /// kCorrupt (an answer of another type than `wanted`).
  Result<wire::Message> ask(const Letter& letter, wire::ClientMessage wanted);

  /// Makes a session of a kOpened and keeps it claimed until drop(). Errors: kCorrupt, kIo.
  Result<std::shared_ptr<SessionLink>> take(wire::Message opened, bool is_pollable);
  void drop(const std::shared_ptr<SessionLink>& link);

  /// How the connection stands, for who has something to say in it.
  struct View {
    uint32_t generation = 0;  // counts supervisors; 0: none is there at the moment
    std::optional<Error> refused;
    std::optional<Error> lost;
  };

  /// Takes in what has arrived, and dials if it is time to. Does not wait. Wakes of `link` are
  /// taken away: look at its record afterwards.
  View look(SessionLink& link);

  /// From here on, what is refused of `link` belongs to another turn.
  void begin_turn(SessionLink& link);

  enum class Sent { kYes, kNoRoom, kNobodyThere };
  /// Sends without waiting, and without an answer but for the refusal that View shows.
  Sent tell(SessionLink& link, const Letter& letter);

  /// Waits until something has arrived or may be sent, at most so long.
  void wait(std::chrono::milliseconds time);

 private:
  enum class State { kAway, kGreeting, kClaiming, kReady, kGone };

  explicit Connection(Dialing dialing) : dialing_(std::move(dialing)) {}
  Status prepare();
  Result<SessionLink> linked(const wire::Opened& opened, wire::Message message, bool is_pollable);

  // All of these under the mutex.
  void wait(std::unique_lock<std::mutex>& lock, Clock::time_point until);
  void pump();  // everything that can be done without waiting
  void dial(Clock::time_point now);
  void greet(wire::MessageSocket socket);
  void lose(const Error& why);
  void give_up(const Error& why);
  void receive_all();
  void on_message(wire::Message message);
  void on_welcome(const wire::Message& message);
  void on_claimed(SessionLink& link, wire::Message message);
  void claim_more();
  void close_more();
  void set_alarm(Clock::time_point when);
  void ring_all();
  Status send(const Letter& letter, uint32_t request);
  uint32_t new_request();
  bool is_linked(const SessionLink& link) const;

  const Dialing dialing_;
  wire::Welcome welcome_{};  // of the first supervisor; the model stays the same
  std::string bundle_;

  std::mutex mutex_;
  std::condition_variable returned_;  // the thread that waited on the socket has come back
  bool has_waiter_ = false;
  State state_ = State::kAway;
  std::optional<Error> gone_;
  wire::MessageSocket socket_;
  FileDescriptor events_{-1};  // epoll: the socket, the alarm, the bell
  FileDescriptor alarm_{-1};   // a timer: time to look again
  FileDescriptor bell_{-1};  // another thread took in what the waiting one waits for, who drains it
  uint32_t generation_ = 0;
  uint32_t last_request_ = 0;
  uint32_t greeting_ = 0;  // the request that asks for the welcome
  bool was_welcome_ = false;
  Clock::time_point away_since_;
  Clock::time_point dial_at_;
  std::chrono::milliseconds pause_{0};
  std::map<uint32_t, std::optional<wire::Message>> answers_;  // by request; none: not yet
  std::vector<std::shared_ptr<SessionLink>> links_;
  std::vector<std::shared_ptr<SessionLink>> to_claim_;
  std::map<uint32_t, std::shared_ptr<SessionLink>> claims_;  // under way, by request
  std::vector<uint64_t> to_close_;
};

/// What a kRefused says. Errors of its own are said in the same way.
Error error_of_refusal(const wire::Message& message);

}  // namespace ovenbird::client
