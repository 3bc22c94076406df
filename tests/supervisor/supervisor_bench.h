// A supervisor over the fake worker, and a client of it that knows the messages and nothing more.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "base/shared_memory.h"
#include "fakes/fake_bundle.h"
#include "fakes/fake_text.h"
#include "fakes/orders.h"
#include "supervisor/supervisor.h"
#include "support/temporary_directory.h"
#include "wire/client_protocol.h"
#include "wire/record.h"

namespace ovenbird {

using Ids = std::vector<int32_t>;

inline constexpr uint32_t kVocabulary = kFakeVocabulary;
inline constexpr uint32_t kRows = 256;  // of a slot

/// A bundle in a directory that is gone at the end. Its graphs are no graphs.
class FakeBundle {
 public:
  FakeBundle();
  ~FakeBundle();
  FakeBundle(const FakeBundle&) = delete;
  FakeBundle& operator=(const FakeBundle&) = delete;
  std::string path() const { return (directory_.path() / "bundle").string(); }
  std::string file(const std::string& name) const { return (directory_.path() / name).string(); }

  /// Names in /dev/shm of supervisors whose sockets are in this directory. Knows an arena, and the
  /// records beside it, once it has seen it: ask while a supervisor is there.
  std::vector<std::string> shared_names() const;

 private:
  TemporaryDirectory directory_;
  mutable std::set<std::string> digits_;  // of arenas that have been seen
};

/// Of the fake worker on the CPU. Nothing is found to be hung that only waits for a processor.
SupervisorOptions fake_options(const FakeBundle& bundle);

/// A session as its client has it.
struct RawSession {
  uint64_t number = 0;
  uint64_t key = 0;
  SharedMemory memory;
  wire::Record record;
  wire::MessageSocket notice;
  uint32_t turns = 0;

  Ids tokens() const;
  wire::Finish finish() const { return static_cast<wire::Finish>(record.header().result.finish); }
  Error error() const { return wire::error_of(record.header().result); }
};

/// How a turn is asked for; the rest as in AskTurn.
struct Ask {
  uint32_t keep = 0;
  Ids tokens;
  uint32_t answer = 20;
  Ids end_ids;
  std::vector<wire::LogitBias> biases;
  uint32_t logit_rows = 0;
  uint32_t flags = 0;
  wire::Sampling sampling;

  /// The same as the worker sees it.
  wire::Turn turn() const;
};

class RawClient {
 public:
  explicit RawClient(wire::MessageSocket socket) : socket_(std::move(socket)) {}

  const wire::MessageSocket& socket() const { return socket_; }

  /// Sends, and waits for the answer.
  template <typename Body>
  wire::Message ask(wire::ClientMessage type, uint64_t session, const Body& body,
                    std::span<const int> descriptors = {}) {
    const uint32_t request = ++requests_;
    REQUIRE(
        socket_.send({.type = static_cast<uint32_t>(type), .request = request, .session = session},
                     body, {}, descriptors, wire::MessageSocket::Wait::kForRoom));
    return answer_to(request);
  }

  wire::Message ask(wire::ClientMessage type, uint64_t session);  // without a body

  RawSession open(uint32_t flags = 0, uint32_t tokens_max = 0);
  RawSession opened(wire::Message message);  // out of a kOpened
  Error refusal_of(const wire::Message& message);

  /// Asks for a turn and does not wait.
  void begin(RawSession& session, const Ask& ask);
  void cancel(const RawSession& session);
  void close(const RawSession& session);

  /// Asks for a turn and waits for its end.
  void run(RawSession& session, const Ask& ask);

  wire::Statistics statistics();

  /// Whatever the supervisor says next.
  wire::Message next();

 private:
  wire::Message answer_to(uint32_t request);

  wire::MessageSocket socket_;
  uint32_t requests_ = 0;
};

/// A supervisor in a thread of this process, and one client of it.
struct Served {
  explicit Served(SupervisorOptions options);
  RawClient connect();

  SupervisorThread supervisor;
  RawClient client;
};

/// Waits until a worker has done what the first order says, and ends it if it hangs.
void kill_obedient_worker(RawClient& client);

/// Waits until the turn asked for last is over.
void wait_for_turn(const RawSession& session);
/// Waits until so many tokens stand there, or the turn is over.
void wait_for_tokens(const RawSession& session, size_t tokens);

/// Pseudo-random tokens.
Ids some_tokens(size_t count, uint32_t seed);

/// What stands there after the turn, if it was done as asked on top of `before`.
Ids expected_after(Ids before, const Ask& ask);

}  // namespace ovenbird
