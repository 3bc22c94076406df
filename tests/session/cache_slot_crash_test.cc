// The process dies while a slot's rows move: at every store, with whatever was being written half
// written, and at any instruction by SIGKILL. The next one finds every row, to the last bit.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "durable_slot.h"
#include "plan_bench.h"
#include "session/cache_slot.h"

namespace ovenbird {
namespace {

using Bytes = std::vector<std::byte>;

/// A move of rows: to another capacity, or over a gap.
struct Change {
  uint32_t capacity_before = 0;
  uint32_t rows = 0;
  uint32_t capacity = 0;  // 0: rows are dropped
  uint32_t first = 0;
  uint32_t dropped = 0;

  void apply(CacheSlot& slot) const {
    if (capacity > 0) return slot.set_capacity(capacity);
    slot.drop(first, dropped);
  }
};

const std::vector<Change> kChanges = {
    {.capacity_before = 20, .rows = 13, .capacity = 40},  // no head runs over itself
    {.capacity_before = 20, .rows = 13, .capacity = 23},  // each does
    {.capacity_before = 20, .rows = 20, .capacity = 30},  // the second does
    {.capacity_before = 40, .rows = 13, .capacity = 13},
    {.capacity_before = 40, .rows = 35, .capacity = 36},
    {.capacity_before = 40, .rows = 1, .capacity = 1},
    {.capacity_before = 40, .rows = 40, .first = 4, .dropped = 18},  // onto the rows dropped
    {.capacity_before = 39, .rows = 39, .first = 4, .dropped = 17},  // one row too many for that
    {.capacity_before = 30, .rows = 29, .first = 3, .dropped = 2},
    {.capacity_before = 30, .rows = 29, .first = 20, .dropped = 9},  // none behind
    {.capacity_before = 30, .rows = 29, .first = 0, .dropped = 29},
};
constexpr uint32_t kRowsMax = 40;

Manifest manifest_of(CacheType type) {
  return toy_manifest({.context = 256, .past = kRowsMax, .short_past = 0, .cache_type = type});
}

/// Appends `count` tokens' rows.
void fill(CacheSlot& slot, const ToyModel& model, uint32_t count) {
  const Ids tokens = random_ids(count, 7);
  Bytes memory(2 * ToyModel::kLayers * ToyModel::kKvHeads * size_t{count} * ToyModel::kHeadDim * 4);
  std::vector<std::byte*> present;
  for (uint32_t index = 0; index < 2 * ToyModel::kLayers; ++index) {
    present.push_back(memory.data() + index * memory.size() / (2 * ToyModel::kLayers));
  }
  for (uint32_t row = 0; row < count; ++row) {
    model.write_row(present, count, row, tokens[row], row);
  }
  slot.append(present, count, 0, count);
}

/// All rows that count, head by head.
Bytes rows_of(const CacheSlot& slot, const Manifest& manifest) {
  Bytes rows;
  for (const std::byte* tensor : slot.stack().tensors) {
    for (uint32_t head = 0; head < ToyModel::kKvHeads; ++head) {
      const std::byte* begin = tensor + manifest.head_bytes(head * slot.capacity());
      rows.insert(rows.end(), begin, begin + manifest.head_bytes(slot.rows()));
    }
  }
  return rows;
}

CacheSlot open_slot(const Manifest& manifest, const SlotMemory& memory) {
  Result<CacheSlot> slot = CacheSlot::create(manifest, kRowsMax, memory);
  REQUIRE(slot);
  return std::move(*slot);
}

/// Where the rows go of the unit that the header says is under way.
std::span<std::byte> place_of_unit(const DurableSlot& slot, const Manifest& manifest) {
  const wire::SlotMove move = wire::move_of(slot.header());
  const uint32_t index = (wire::move_step_of(slot.header()) - 1) / 2;
  const uint32_t nth = index % ToyModel::kKvHeads;
  const bool grows = move.to.capacity > move.from.capacity;
  const uint32_t head = grows ? ToyModel::kKvHeads - 1 - nth : nth;
  const uint32_t tensor = index / ToyModel::kKvHeads;
  const uint32_t first = move.dropped() > 0 ? move.first : 0;
  const size_t start = tensor * manifest.head_bytes(kRowsMax * ToyModel::kKvHeads) +
                       manifest.head_bytes(head * move.to.capacity + first);
  return slot.pages.bytes().subspan(start, manifest.head_bytes(move.rows_after() - first));
}

/// Half writes what was being written when the process died.
void tear(const DurableSlot& slot, const Manifest& manifest, std::mt19937& random) {
  const uint32_t step = wire::move_step_of(slot.header());
  const uint32_t units = 2 * ToyModel::kLayers * ToyModel::kKvHeads;
  if (step == 0 || step > 2 * units) return;
  const std::span<std::byte> place = place_of_unit(slot, manifest);
  const bool is_saved = step % 2 == 0;
  if (is_saved) return scribble(place, random);
  scribble(slot.scratch.bytes(), random);
  // What the unit's rows lie in themselves is not written before they are saved.
  const wire::SlotMove move = wire::move_of(slot.header());
  const auto behind =
      static_cast<ptrdiff_t>(move.dropped() > 0 ? manifest.head_bytes(move.dropped()) : 0);
  const uint32_t nth = (step - 1) / 2 % ToyModel::kKvHeads;
  const uint32_t head = move.to.capacity > move.from.capacity ? ToyModel::kKvHeads - 1 - nth : nth;
  const auto apart = move.dropped() > 0
                         ? behind
                         : static_cast<ptrdiff_t>(manifest.head_bytes(head)) *
                               (int64_t{move.from.capacity} - int64_t{move.to.capacity});
  if (static_cast<size_t>(std::abs(apart)) >= place.size()) scribble(place, random);
}

/// Recovers, dying at the given store of it; whether it came that far.
bool dies_in_recovery(const DurableSlot& memory, const Manifest& manifest, uint32_t rows,
                      int store) {
  CacheSlot slot = open_slot(manifest, memory.memory(DeathAt(store)));
  try {
    const Status recovered = slot.recover(rows);
    REQUIRE(recovered);
  } catch (const Death&) {
    return true;
  }
  return false;
}

/// What another process makes of the slot: it recovers, and does what was to be done if it was not.
void check_goes_on(const DurableSlot& memory, const Manifest& manifest, const Change& change,
                   const CacheSlot& wanted) {
  CacheSlot slot = open_slot(manifest, memory.memory());
  const Status recovered = slot.recover(change.rows);
  REQUIRE(recovered);
  if (slot.capacity() == change.capacity_before && slot.dropped() == 0) change.apply(slot);
  CHECK(slot.rows() == wanted.rows());
  CHECK(slot.capacity() == wanted.capacity());
  CHECK(slot.dropped() == wanted.dropped());
  CHECK(rows_of(slot, manifest) == rows_of(wanted, manifest));
}

/// Dies at one store of a change; gives whether the change had as many.
bool die_at(const Change& change, const Manifest& manifest, const DurableSlot& memory, int store,
            std::mt19937& random) {
  const ToyModel model(manifest);
  CacheSlot before = open_slot(manifest, memory.memory());
  before.set_capacity(change.capacity_before);
  fill(before, model, change.rows);
  CacheSlot slot = open_slot(manifest, memory.memory(DeathAt(store)));
  REQUIRE(slot.recover(change.rows));
  try {
    change.apply(slot);
  } catch (const Death&) {
    tear(memory, manifest, random);
    return true;
  }
  return false;
}

CacheSlot undisturbed(const Change& change, const Manifest& manifest) {
  CacheSlot slot = std::move(*CacheSlot::create(manifest, kRowsMax, Pages::kPrivate));
  slot.set_capacity(change.capacity_before);
  fill(slot, ToyModel(manifest), change.rows);
  change.apply(slot);
  return slot;
}

TEST_CASE("whichever store of a move is a process's last, the next one finds every row") {
  std::mt19937 random(1);
  for (const CacheType type : {CacheType::kF16, CacheType::kF32}) {
    const Manifest manifest = manifest_of(type);
    for (size_t index = 0; index < kChanges.size(); ++index) {
      CAPTURE(index);
      const CacheSlot wanted = undisturbed(kChanges[index], manifest);
      int stores = 0;
      for (bool died = true; died; ++stores) {
        CAPTURE(stores);
        const DurableSlot memory(manifest, kRowsMax);
        died = die_at(kChanges[index], manifest, memory, stores, random);
        if (died) check_goes_on(memory, manifest, kChanges[index], wanted);
      }
      CHECK(stores >= 1);
    }
  }
}

TEST_CASE("whichever store of a recovery is a process's last, the next one recovers") {
  std::mt19937 random(2);
  const Manifest manifest = manifest_of(CacheType::kF16);
  for (size_t index = 0; index < kChanges.size(); ++index) {
    CAPTURE(index);
    const CacheSlot wanted = undisturbed(kChanges[index], manifest);
    for (int store = 0;; ++store) {
      CAPTURE(store);
      const DurableSlot memory(manifest, kRowsMax);
      if (!die_at(kChanges[index], manifest, memory, store, random)) break;
      // Each recovery comes a little farther than the one before.
      for (int again = 0; dies_in_recovery(memory, manifest, kChanges[index].rows, again);
           ++again) {
        tear(memory, manifest, random);
      }
      check_goes_on(memory, manifest, kChanges[index], wanted);
    }
  }
}

TEST_CASE("slots that share scratch each find their rows, once the moves of all are ended") {
  const Manifest manifest = manifest_of(CacheType::kF16);
  const Change& change = kChanges[1];
  const CacheSlot wanted = undisturbed(change, manifest);
  std::mt19937 random(5);
  for (int store = 1; store < 20; ++store) {
    CAPTURE(store);
    const DurableSlot first(manifest, kRowsMax);
    REQUIRE(die_at(change, manifest, first, store, random));
    const DurableSlot second(manifest, kRowsMax);
    SlotMemory sharing = second.memory();
    sharing.scratch = first.scratch.bytes();
    for (const SlotMemory& memory : {sharing, first.memory()}) {
      const Status finished = open_slot(manifest, memory).finish_move();
      CHECK(finished);
    }
    CacheSlot other = open_slot(manifest, sharing);
    other.set_capacity(change.capacity_before);
    fill(other, ToyModel(manifest), change.rows);
    change.apply(other);
    CHECK(rows_of(other, manifest) == rows_of(wanted, manifest));
    check_goes_on(first, manifest, change, wanted);
  }
}

/// The slot that a child process works on until it is killed, and what it must be at every number
/// of drops.
struct Worked {
  static constexpr uint32_t kRows = 40;
  static constexpr uint32_t kDroppedAtOnce = 3;

  /// Moves rows for ever.
  [[noreturn]] static void work(CacheSlot& slot) {
    for (uint32_t round = 0;; ++round) {
      const uint32_t free = kRowsMax - slot.rows();
      if (free > 0) slot.set_capacity(slot.rows() + round * 7 % free);
      slot.set_capacity(kRowsMax);
      if (round % 8 == 0 && slot.rows() > 20) slot.drop(4, kDroppedAtOnce);
    }
  }
};

/// Kills the child while it moves rows, sooner or later.
void kill_at_work(pid_t child, const wire::SlotHeader& header, uint32_t looks) {
  while (wire::move_step_of(header) == 0) ::sched_yield();
  for (uint32_t look = 0; look < looks;) {
    if (wire::move_step_of(header) != 0) ++look;
  }
  ::kill(child, SIGKILL);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
}

TEST_CASE("a process that is killed at any instruction leaves every row") {
  const Manifest manifest = manifest_of(CacheType::kF16);
  const ToyModel model(manifest);
  std::vector<Bytes> wanted;  // [drops]
  CacheSlot reference = std::move(*CacheSlot::create(manifest, kRowsMax, Pages::kPrivate));
  reference.set_capacity(kRowsMax);
  fill(reference, model, Worked::kRows);
  while (true) {
    wanted.push_back(rows_of(reference, manifest));
    if (reference.rows() <= 20) break;
    reference.drop(4, Worked::kDroppedAtOnce);
  }
  std::mt19937 random(3);
  uint32_t in_a_move = 0;
  for (int round = 0; round < 400; ++round) {
    CAPTURE(round);
    const DurableSlot memory(manifest, kRowsMax);
    CacheSlot slot = open_slot(manifest, memory.memory());
    slot.set_capacity(kRowsMax);
    fill(slot, model, Worked::kRows);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // should this process end first
      Worked::work(slot);
    }
    kill_at_work(child, memory.header(), uint32_t(random() % 3000));
    if (wire::move_step_of(memory.header()) != 0) ++in_a_move;

    CacheSlot found = open_slot(manifest, memory.memory());
    const Status recovered = found.recover(Worked::kRows);
    REQUIRE(recovered);
    REQUIRE(found.dropped() % Worked::kDroppedAtOnce == 0);
    CHECK(rows_of(found, manifest) == wanted.at(found.dropped() / Worked::kDroppedAtOnce));
  }
  CHECK(in_a_move > 100);
}

TEST_CASE("a header that is garbage is told of or an empty slot's, and nothing beyond is written") {
  const Manifest manifest = manifest_of(CacheType::kF16);
  std::mt19937 random(4);
  for (int round = 0; round < 20000; ++round) {
    // From the heap, with what surrounds it watched where there is a sanitizer.
    const auto page = round_up_to_page(1);
    const auto pages_of = [&](size_t bytes) {
      return std::unique_ptr<std::byte, decltype(&std::free)>(
          static_cast<std::byte*>(std::aligned_alloc(page, round_up_to_page(bytes))), &std::free);
    };
    const auto pages = pages_of(manifest.slot_bytes(kRowsMax));
    const auto header_page = pages_of(sizeof(wire::SlotHeader));
    const auto scratch = pages_of(manifest.head_bytes(kRowsMax));
    auto* header = reinterpret_cast<wire::SlotHeader*>(header_page.get());
    // Small numbers too, which are nearly right.
    const uint32_t range = round % 2 == 0 ? 64 : 0;
    const auto number = [&] { return range ? uint32_t(random() % range) : uint32_t(random()); };
    wire::set_layout(*header, {.capacity = number(), .dropped = number() % 5});
    wire::set_last_step(*header, {.rows = number(), .past = number()});
    const wire::SlotMove move{.from = {.capacity = number(), .dropped = number() % 5},
                              .to = {.capacity = number(), .dropped = number()},
                              .rows = number(),
                              .first = number()};
    wire::begin_move(*header, round % 4 ? move
                                        : wire::SlotMove{.from = wire::layout_of(*header),
                                                         .to = {.capacity = number()},
                                                         .rows = number() % 40});
    wire::set_move_step(*header, number() % 4 ? number() : 0);
    CacheSlot slot = open_slot(
        manifest, {.pages = {pages.get(), round_up_to_page(manifest.slot_bytes(kRowsMax))},
                   .header = header,
                   .scratch = {scratch.get(), manifest.head_bytes(kRowsMax)}});
    const Status recovered = slot.recover(number());
    if (!recovered) {
      CHECK(recovered.error().code == Code::kCorrupt);
      CHECK(slot.rows() == 0);
      CHECK(slot.dropped() == 0);
    }
    REQUIRE(slot.rows() <= slot.capacity());
    REQUIRE(slot.capacity() <= kRowsMax);
    CHECK(slot.noted_past() <= kRowsMax);
    if (slot.rows() > 2) slot.drop(1, 1);
    slot.set_capacity(kRowsMax);
  }
}

}  // namespace
}  // namespace ovenbird
