// Two processes: one says tokens into a record until it is killed, at any moment; its successors go
// on from the point; a reader that can only read sees every token once it counts, and never
// another.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <utility>

#include <doctest/doctest.h>

#include "base/futex.h"
#include "base/shared_memory.h"
#include "support/forked_process.h"
#include "wire/record.h"

namespace ovenbird::wire {
namespace {

constexpr Record::Shape kShape{
    .session = 1, .vocabulary = 1000, .tokens_max = 1 << 16, .logit_rows = 0};

/// What stands at `index` of a conversation that was begun anew so many times.
int32_t token_of(uint32_t conversation, uint32_t index) {
  return static_cast<int32_t>((conversation * 7919 + index * 104729) % 1000);
}

/// As a worker does it, except that it knows no end. Before each point it leaves refused drafts
/// behind it, so that right tokens of an earlier writer cannot stand in for its own.
bool say_tokens(const Record& record, uint32_t conversation) {
  const std::span<int32_t> tokens = record.tokens();
  for (uint32_t at = record.point().tokens;;) {
    const auto drafts = std::min<size_t>(8, tokens.size() - at);
    std::fill_n(tokens.begin() + at, drafts, -1);
    const uint32_t accepted = std::min<uint32_t>(1 + at % 3, static_cast<uint32_t>(drafts));
    for (uint32_t i = 0; i < accepted; ++i, ++at) tokens[at] = token_of(conversation, at);
    record.set_point({.tokens = at, .computed = at - 1});
    record.wake();
    if (at == tokens.size()) return true;
  }
}

struct Reader {
  Record record;
  uint32_t conversation = 0;
  uint32_t read = 0;

  /// Reads what is new. Whether all of it is right.
  bool read_on() {
    const Point point = record.point();
    if (point.tokens < read || point.computed > point.tokens) return false;
    if (point.tokens > 0 && point.computed + 1 != point.tokens) return false;  // never torn
    for (; read < point.tokens; ++read) {
      if (record.tokens()[read] != token_of(conversation, read)) return false;
    }
    return true;
  }

  /// Sleeps until the point is there or beyond.
  bool read_up_to(uint32_t tokens) {
    for (;;) {
      const std::atomic<uint32_t>& wake = record.header().progress.wake;
      const uint32_t seen = wake.load(std::memory_order_acquire);
      if (!read_on()) return false;
      if (read >= tokens) return true;
      futex_wait(wake, seen, std::chrono::hours(1));
    }
  }
};

TEST_CASE("whenever a writer is killed, what counts is right, and the next one goes on") {
  const auto memory =
      SharedMemory::create_unnamed(Record::bytes_for(kShape.tokens_max, 0, kShape.vocabulary));
  REQUIRE(memory);
  const Record record = Record::create(memory->bytes(), kShape);
  const auto seen =
      SharedMemory::map(*memory->read_only_descriptor(), memory->bytes().size(), Access::kRead);
  REQUIRE(seen);
  Reader reader{.record = *Record::open(seen->bytes())};
  std::mt19937 random(1);

  for (int killed = 0; killed < 150; ++killed) {
    ForkedProcess writer([&] { return say_tokens(record, reader.conversation); });
    const uint32_t further = 1 + static_cast<uint32_t>(random()) % (1u << (1 + killed % 12));
    REQUIRE(reader.read_up_to(std::min(reader.read + further, kShape.tokens_max)));
    writer.kill();
    REQUIRE(reader.read_on());
    REQUIRE(record.point().tokens == reader.read);
    if (reader.read > kShape.tokens_max / 2) {  // as the supervisor does when a turn begins
      record.set_point({});
      ++reader.conversation;
      reader.read = 0;
    }
  }
}

TEST_CASE("a reader that never sleeps sees every conversation to its end") {
  const auto memory =
      SharedMemory::create_unnamed(Record::bytes_for(kShape.tokens_max, 0, kShape.vocabulary));
  REQUIRE(memory);
  const Record record = Record::create(memory->bytes(), kShape);
  for (uint32_t conversation = 0; conversation < 5; ++conversation) {
    record.set_point({});
    Reader reader{.record = record, .conversation = conversation};
    ForkedProcess writer([&] { return say_tokens(record, conversation); });
    bool is_right = true;
    while (is_right && reader.read < kShape.tokens_max) is_right = reader.read_on();
    REQUIRE(is_right);
    CHECK(writer.ends_well());
  }
}

TEST_CASE("the end of a turn is seen with its result, in another process") {
  const auto memory =
      SharedMemory::create_unnamed(Record::bytes_for(kShape.tokens_max, 0, kShape.vocabulary));
  REQUIRE(memory);
  const Record record = Record::create(memory->bytes(), kShape);
  for (uint32_t turn = 1; turn <= 100; ++turn) {
    record.header().orders.turn_asked = turn;
    ForkedProcess writer([&] {
      record.header().result.decode_steps = turn;
      const Error error{Code::kDeviceLost, "turn " + std::to_string(turn)};
      record.finish_turn(Finish::kFailed, &error);
      return true;
    });
    const std::atomic<uint32_t>& wake = record.header().progress.wake;
    for (uint32_t seen = wake; record.is_turn_under_way(); seen = wake) {
      if (record.is_turn_under_way()) futex_wait(wake, seen, std::chrono::hours(1));
    }
    CHECK(record.header().result.decode_steps == turn);
    CHECK(error_of(record.header().result).message == "turn " + std::to_string(turn));
    CHECK(writer.ends_well());
  }
}

}  // namespace
}  // namespace ovenbird::wire
