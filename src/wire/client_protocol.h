// Messages between a client and the supervisor. Tokens that are said, the end of a turn and why it
// ended are never messages: they stand in the session's record.
#pragma once

#include <array>
#include <cstdint>

#include "wire/arena.h"
#include "wire/record.h"

namespace ovenbird::wire {

// clang-format off
enum class ClientMessage : uint32_t {
  // A client asks.             body          tail                   answer
  kHello = 1,                // Hello         -                      kWelcome
  kOpen = 2,                 // Open          -                      kOpened
  kClaim = 3,                // Claim         -                      kOpened; session in the header
  kFeed = 4,                 // Feed          tokens                 -; only if refused
  kTurn = 5,                 // AskTurn       end ids, biases, tokens   -; only if refused
  kCancel = 6,               // Cancel        -                      -
  kClose = 7,                // -             -                      -
  kFork = 8,                 // Open          -                      kOpened: the new one
  kSave = 9,                 // -             -                      kSaved
  kLoad = 10,                // Open          -, a memfd             kOpened
  kStatistics = 11,          // -             -                      kStatisticsAre

  // The supervisor answers.    body          tail                   descriptors
  kWelcome = 101,            // Welcome       the bundle's path      -
  kOpened = 102,             // Opened        -                      the record, read-only; a socket
                             //                                      to poll, if one was asked for
  kRefused = 103,            // Refused       text                   -
  kSaved = 104,              // Saved         -                      a sealed memfd
  kStatisticsAre = 105,      // Statistics    -                      -
};
// clang-format on

struct Hello {
  uint32_t version = kWireVersion;
  uint32_t padding = 0;
};
static_assert(sizeof(Hello) == 8);

struct Welcome {
  uint32_t version = kWireVersion;
  uint32_t vocabulary = 0;
  uint32_t context = 0;  // tokens that are seen at once
  uint32_t slots = 0;
  uint32_t logit_rows = 0;  // of a record with logits
  uint32_t tokens_max = 0;  // the most that a record may be opened with
  uint32_t process = 0;     // the supervisor's pid
  uint32_t padding = 0;
  std::array<char, 16> plan{};
  Digest model{};
};
static_assert(sizeof(Welcome) == 32 + 16 + 32);

enum OpenFlags : uint32_t {
  kWithLogits = 1,  // the record has room for logits
  kWithNotice = 2,  // a socket is handed over that becomes readable when something has changed
};

struct Open {
  uint32_t flags = 0;       // OpenFlags
  uint32_t tokens_max = 0;  // of the whole conversation; 0: the supervisor's default
};
static_assert(sizeof(Open) == 8);

struct Claim {
  uint64_t key = 0;
};
static_assert(sizeof(Claim) == 8);

struct Opened {
  uint64_t session = 0;
  uint64_t key = 0;  // claims it once the connection, or the supervisor, has gone
  uint64_t record_bytes = 0;
};
static_assert(sizeof(Opened) == 24);

/// Makes the conversation its first `keep` tokens and then these. For prompts that do not fit into
/// one message: any number of kFeed, then a kTurn. Only while no turn is under way.
struct Feed {
  uint32_t keep = 0;    // <= the tokens that stand there
  uint32_t tokens = 0;  // in the tail
};
static_assert(sizeof(Feed) == 8);

/// Feeds, and begins a turn. Whether it may wait for a slot, is refused for there is no room in
/// the queue (kBusy), or fails: the record says so, like the end of any turn. To ask for the turn
/// that was asked for last is to ask nothing: so a client may ask again when it does not know
/// whether its message has been read.
struct AskTurn {
  uint32_t number = 0;  // 1 more than the last one's
  uint32_t keep = 0;
  uint32_t tokens = 0;  // in the tail, behind end ids and biases
  uint32_t answer_tokens_max = 0;
  uint32_t logit_rows = 0;
  uint32_t flags = 0;  // TurnFlags
  uint32_t end_ids = 0;
  uint32_t biases = 0;
  Sampling sampling;
};
static_assert(sizeof(AskTurn) == 32 + 40);

struct Cancel {
  uint32_t turn = 0;
  uint32_t padding = 0;
};
static_assert(sizeof(Cancel) == 8);

struct Refused {
  uint32_t code = 0;  // ovenbird::Code
  uint32_t turn = 0;  // of a kTurn
};
static_assert(sizeof(Refused) == 8);

struct Saved {
  uint64_t bytes = 0;
};
static_assert(sizeof(Saved) == 8);

/// What operators and programs want to know. Times are of the supervisor's process.
struct Statistics {
  uint64_t uptime_ns = 0;
  uint64_t said_tokens = 0;
  uint64_t steps = 0;
  uint64_t step_ns = 0;  // of all steps together
  uint64_t turns = 0;
  uint64_t restarts = 0;       // workers that were replaced
  uint64_t failovers = 0;      // of these: by one on another device
  uint64_t refused_turns = 0;  // kBusy
  uint32_t worker = 0;         // pid; 0: none is there
  uint32_t standby = 0;        // pid; 0: none
  uint32_t clients = 0;
  uint32_t sessions = 0;
  uint32_t slots = 0;
  uint32_t slots_used = 0;
  uint32_t waiting = 0;   // turns in the queue
  uint32_t is_ready = 0;  // 1: the worker computes
  std::array<char, 16> device{};
  std::array<char, 16> recipe{};
  std::array<char, kMessageTextBytes> last_failure{};  // why the last worker was replaced
};
static_assert(sizeof(Statistics) == 96 + 32 + kMessageTextBytes);

}  // namespace ovenbird::wire
