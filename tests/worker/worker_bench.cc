// Slots without processes.
#include "worker_bench.h"

#include <doctest/doctest.h>

#include <unistd.h>

namespace ovenbird {
namespace {

wire::ArenaShape shape_for(const Manifest& manifest, const std::string& plan, uint32_t slots) {
  const uint32_t rows = cache_rows(manifest, plan);
  wire::ArenaShape shape{.slots = slots, .sessions_max = slots};
  if (rows == 0) return shape;
  shape.rows = rows;
  shape.tensors = 2 * manifest.model.layers;
  shape.scratch_bytes = manifest.head_bytes(rows);
  shape.tensor_bytes = shape.scratch_bytes * manifest.model.kv_heads;
  return shape;
}

template <typename T>
T taken(Result<T> result) {
  REQUIRE(result);
  return std::move(*result);
}

}  // namespace

SharedBytes::SharedBytes(const Manifest& manifest, const std::string& plan, uint32_t slots)
    : memory(taken(PageMemory::allocate(wire::Arena::bytes_for(shape_for(manifest, plan, slots)),
                                        Pages::kShared))),
      arena(wire::Arena::create(memory.bytes(), shape_for(manifest, plan, slots))) {}

ToyWorker::ToyWorker(const Manifest& manifest, const GraphSet& set, const wire::Arena& arena)
    : engine(manifest, set.graphs),
      model{.manifest = manifest,
            .plan = set.plan,
            .engine = engine,
            .graphs = std::make_shared<SharedGraphs>(engine),
            .status = arena.worker(0)} {
  for (uint32_t slot = 0; slot < arena.shape().slots; ++slot) {
    runners.push_back(std::make_unique<SlotRunner>(model, arena, slot));
    REQUIRE(runners.back()->finish_move());
  }
}

ToySession::ToySession(const Manifest& manifest, uint32_t logit_rows, uint32_t tokens_max)
    : memory_(taken(SharedMemory::create_unnamed(
          wire::Record::bytes_for(tokens_max, logit_rows, manifest.model.vocabulary)))),
      record_(wire::Record::create(memory_.bytes(), {.session = 1,
                                                     .vocabulary = manifest.model.vocabulary,
                                                     .tokens_max = tokens_max,
                                                     .logit_rows = logit_rows})) {}

AttachedSession ToySession::attached() const {
  SharedMemory mapped = taken(SharedMemory::map(FileDescriptor(::dup(memory_.descriptor().get())),
                                                memory_.bytes().size(), Access::kReadWrite));
  const wire::Record record = taken(wire::Record::open(mapped.bytes()));
  return {.memory = std::move(mapped), .record = record, .notice = {}};
}

void ToySession::ask(uint32_t keep, const Ids& tokens, wire::Turn turn) {
  REQUIRE_FALSE(record_.is_turn_under_way());
  const wire::Point point = record_.point();
  REQUIRE(keep <= point.tokens);
  const uint32_t computed = std::min(point.computed, keep);
  record_.set_point({.tokens = keep, .computed = computed});
  std::copy(tokens.begin(), tokens.end(), record_.tokens().begin() + keep);
  turn.prompt_tokens = keep + static_cast<uint32_t>(tokens.size());
  record_.set_point({.tokens = turn.prompt_tokens, .computed = computed});
  record_.header().turn = turn;
  record_.header().result = {};
  record_.header().orders.turn_asked.fetch_add(1, std::memory_order_release);
}

Ids ToySession::tokens() const {
  const auto held = record_.tokens().first(record_.point().tokens);
  return {held.begin(), held.end()};
}

wire::Finish ToySession::finish() const {
  return static_cast<wire::Finish>(record_.header().result.finish);
}

size_t run_turn(ToyWorker& worker, uint32_t slot, size_t steps) {
  size_t taken_steps = 0;
  while (worker.runners[slot]->has_turn() && taken_steps < steps) {
    const Result<SlotRunner::Outcome> outcome = worker.runners[slot]->step(worker.runners);
    REQUIRE(outcome);
    ++taken_steps;
  }
  return taken_steps;
}

}  // namespace ovenbird
