// Shared bytes: the record of one session. The supervisor makes it, a worker goes on with it, and
// its client maps it to read only.
//
//   page 0 .. 3   RecordHeader
//   tokens        i32 [tokens_max]: the whole conversation, prompts and answers
//   logits        f32 [logit_rows, vocabulary], if the session was opened with them
//
// Nothing in here is moved or grown while the session lives. Each field has one writer at a time:
// `turn` and what it asks belong to the supervisor while no turn is under way; tokens, `progress`
// and `result` to the worker while one is, and to the supervisor else. A worker that died has none.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/sampling_options.h"
#include "ovenbird/result.hpp"
#include "wire/version.h"

namespace ovenbird::wire {

inline constexpr uint64_t kRecordMagic = 0x6472'6f63'6572'626f;  // "obrecord"

inline constexpr size_t kRecordHeaderBytes = 16384;
inline constexpr uint32_t kEndIdsMax = 32;        // models have 1 to 5
inline constexpr uint32_t kBiasesMax = 1024;      // limits::kLogitBiasEntriesMax
inline constexpr size_t kMessageTextBytes = 512;  // of an error, with its final zero
inline constexpr uint32_t kClientRowsMax = 8;     // rows of logits that a turn may ask for

/// SamplingOptions but for the biases; they have the same names and meanings there.
struct Sampling {
  uint64_t seed = 0;
  float temperature = 0;
  int32_t top_k = 0;
  float top_p = 1;
  float min_p = 0;
  float repetition_penalty = 1;
  float presence_penalty = 0;
  float frequency_penalty = 0;
  uint32_t padding = 0;
};
static_assert(sizeof(Sampling) == 40);

struct LogitBias {
  int32_t id = 0;
  float value = 0;
};
static_assert(sizeof(LogitBias) == 8);

enum TurnFlags : uint32_t {
  kDrafts = 1,       // guess tokens from the history and verify several in one step
  kSharePrefix = 2,  // rows of other sessions that begin with the same tokens may be copied
};

/// What is to be done: the prompt is computed, then an answer of up to so many tokens is said.
struct Turn {
  uint32_t prompt_tokens = 0;      // tokens [0, prompt_tokens) are given
  uint32_t answer_tokens_max = 0;  // 0: computes the prompt, and says nothing
  uint32_t logit_rows = 0;         // [0, kClientRowsMax]: logits wanted for the newest so many
                                   // tokens of the prompt; more than 1 only with an answer of 0
  uint32_t flags = 0;              // TurnFlags
  uint32_t end_id_count = 0;
  uint32_t bias_count = 0;
  Sampling sampling;
  std::array<int32_t, kEndIdsMax> end_ids{};  // a token that ends the answer, said all the same
  std::array<LogitBias, kBiasesMax> biases{};
};
static_assert(sizeof(Turn) == 24 + 40 + 4 * kEndIdsMax + 8 * kBiasesMax);

/// Why a turn is over.
enum class Finish : uint32_t {
  kNone = 0,    // it is not
  kEnd = 1,     // one of end_ids was said
  kLength = 2,  // answer_tokens_max
  kCancelled = 3,
  kFull = 4,    // the record has no room for more tokens
  kFailed = 5,  // `code` and `message` say why
};

/// How the last turn went. Means something once `turn_done` has been seen.
struct TurnResult {
  uint32_t finish = 0;         // Finish
  uint32_t code = 0;           // ovenbird::Code, if it failed
  uint64_t reused_tokens = 0;  // of the prompt: were in the slot already, or copied
  uint64_t prefill_steps = 0;
  uint64_t decode_steps = 0;
  uint64_t drafted_tokens = 0;
  uint64_t accepted_tokens = 0;
  uint64_t near_ties = 0;
  uint64_t compile_ns = 0;  // of the time after the first token: spent waiting for graphs
  std::array<char, kMessageTextBytes> message{};
};
static_assert(sizeof(TurnResult) == 64 + kMessageTextBytes);

/// How far a session has come.
struct Point {
  uint32_t tokens = 0;    // of the conversation that count: prompt, and what has been said
  uint32_t computed = 0;  // of these: have rows in the slot; <= tokens
};

/// Which logits are there to read.
struct LogitsPlace {
  uint32_t step = 0;       // counts steps that gave some; another number: they are others now
  uint16_t first_row = 0;  // of the record's logits
  uint16_t rows = 0;       // 0: none, a step is under way. The last one is the newest token's
};

/// What changes with every step. `wake` changes after anything else here or in `turn_done` has.
struct alignas(64) Progress {
  std::atomic<uint64_t> point;      // a Point: the one store that makes a step count
  std::atomic<uint64_t> logits;     // a LogitsPlace
  std::atomic<uint32_t> turn_done;  // the number of the last turn that is over
  std::atomic<uint32_t> wake;       // clients sleep on it
};
static_assert(sizeof(Progress) == 64);

/// Written by the supervisor only.
struct alignas(64) Orders {
  std::atomic<uint32_t> turn_asked;   // the number of the last turn asked for, from 1; a turn is
                                      // under way while it differs from turn_done
  std::atomic<uint32_t> turn_cancel;  // the turn to be ended at once
  std::atomic<uint32_t> is_over;      // 1: the session is closed; nothing will change any more
};
static_assert(sizeof(Orders) == 64);

struct RecordHeader {
  // Written once, before anybody else sees it.
  uint64_t magic;
  uint32_t version;
  uint32_t vocabulary;
  uint64_t session;
  uint64_t total_bytes;
  uint64_t tokens_offset;
  uint64_t logits_offset;
  uint32_t tokens_max;
  uint32_t logit_rows;  // 0: without logits
  std::array<std::byte, 8> unused;

  Orders orders;
  Progress progress;
  TurnResult result;
  alignas(64) Turn turn;
};
static_assert(offsetof(RecordHeader, orders) == 64);
static_assert(offsetof(RecordHeader, progress) == 128);
static_assert(offsetof(RecordHeader, result) == 192);
static_assert(offsetof(RecordHeader, turn) == 768);
static_assert(sizeof(RecordHeader) <= kRecordHeaderBytes);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

/// A mapped record whose header has been checked once; what it says about its own layout is kept
/// from then on, so that nobody can change it under the reader. Does not own the mapping.
class Record {
 public:
  /// Bytes of a record. `logit_rows` may be 0.
  static size_t bytes_for(uint32_t tokens_max, uint32_t logit_rows, uint32_t vocabulary);

  struct Shape {
    uint64_t session = 0;
    uint32_t vocabulary = 0;
    uint32_t tokens_max = 0;
    uint32_t logit_rows = 0;
  };

  /// Makes a record of zeroed memory. `memory` has bytes_for() bytes.
  static Record create(std::span<std::byte> memory, const Shape& shape);

  /// Errors: kCorrupt (naming the field), kUnsupported (another version).
  static Result<Record> open(std::span<std::byte> memory);

  const Shape& shape() const { return shape_; }
  RecordHeader& header() const { return *header_; }
  std::span<int32_t> tokens() const { return tokens_; }  // [tokens_max]
  std::span<float> logits() const { return logits_; }    // [logit_rows, vocabulary]; may be empty

  /// Acquires: what stands in front of the point may be read. Never beyond tokens_max.
  Point point() const;
  /// Releases.
  void set_point(Point point) const;

  LogitsPlace logits_place() const;  // never beyond the record's rows
  void set_logits_place(LogitsPlace place) const;

  bool is_turn_under_way() const;

  /// Tells whoever sleeps that something has changed.
  void wake() const;

  /// Ends the turn under way: the result first, then turn_done, then wake().
  void finish_turn(Finish finish, const Error* error) const;

 private:
  Record(std::span<std::byte> memory, const Shape& shape);

  Shape shape_;
  RecordHeader* header_;
  std::span<int32_t> tokens_;
  std::span<float> logits_;
};

/// Text of an error out of shared bytes, which may lack its final zero.
Error error_of(const TurnResult& result);

/// A turn's options as the sampler wants them, and back. Ids are not checked.
SamplingOptions sampling_of(const Turn& turn);
Sampling numbers_of(const SamplingOptions& options);

}  // namespace ovenbird::wire
