// Stage 4, session. How a conversation's tokens become logits: over a cache, or over a bare window.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "bundle/manifest.h"
#include "engine/engine.h"
#include "ovenbird/result.hpp"
#include "session/shared_graphs.h"
#include "session/slot_memory.h"

namespace ovenbird {

/// Tokens of answer that room is taken for before it begins, so that saying them takes none.
inline constexpr size_t kAnswerTokens = 1024;

/// Whose logits a step must give.
enum class LogitRows { kLast, kAll };

/// Logits of a step's newest rows, [rows, vocabulary], the last one being the newest token's.
/// Valid until the next call of the plan, or of another one over the same PlanMemory::logits.
struct Logits {
  std::span<const float> values;
  uint32_t rows = 0;
  uint32_t vocabulary = 0;

  std::span<const float> row(uint32_t index) const {
    return values.subspan(size_t{index} * vocabulary, vocabulary);
  }
};

/// What a plan holds of one conversation. Two phases, so that a draft can be refused: step()
/// computes, commit() keeps the first tokens of that step.
///
/// Over a slot of the caller's a conversation outlives the process. Its owner keeps the tokens, and
/// how many of them are computed: tokens(), which it must publish before every step() and
/// take_prefix(). Then the process may die at any instruction; restore() in another one takes the
/// conversation up, and the steps that follow are those that would have followed: which graph runs,
/// over how much past, and what is dropped depend on tokens(), on the slot and on the tokens asked
/// for, and on nothing that a process remembers.
class Plan {
 public:
  virtual ~Plan() = default;

  /// Tokens of the conversation that have been committed, those dropped since included.
  virtual uint64_t tokens() const = 0;

  /// How many of the next `tokens` one step should take, in [1, tokens].
  virtual uint32_t chunk(uint32_t tokens, LogitRows wanted) const = 0;

  /// Time of a step that takes `tokens` and gives a row for each, over that of a step of one token.
  /// An estimate, to decide whether drafts pay; the same however much the plan holds.
  virtual double relative_cost(uint32_t tokens) const = 0;

  /// Says that an answer goes on behind so many tokens: time to have its graphs compiled. Changes
  /// nothing in which graph a step runs on.
  virtual void expect(uint64_t tokens) = 0;

  /// Computes the next tokens of the conversation, at most chunk(tokens.size(), wanted) of them;
  /// with kAll there is a row of logits for each. May drop old tokens to make room.
  /// Errors: what Engine::bind() and Engine::step() give; what was committed stays good.
  virtual Result<Logits> step(std::span<const int32_t> tokens, LogitRows wanted) = 0;

  /// Keeps the first `count` tokens of the last step; at most once for each step.
  virtual void commit(uint32_t count) = 0;

  /// Keeps what it can of the conversation's first `count` tokens and forgets the rest. Returns how
  /// many tokens need not be given again: `count`, or 0 where some of them have been dropped.
  /// Changes no memory of the caller's: what was published before still holds until step().
  virtual uint64_t keep(uint64_t count) = 0;

  /// Takes up a conversation of which another process has computed `tokens`, in the slot that this
  /// plan was given; none: begins a new one. For a plan that has computed nothing yet. Slots that
  /// share scratch need CacheSlot::finish_move() before, all of them before the first step.
  /// Errors: kCorrupt (the slot does not hold these tokens; the plan holds none then, and goes on).
  virtual Status restore(std::span<const int32_t> tokens) = 0;

  /// Copies the conversation's first `count` tokens, or as many as there are and fit, from another
  /// plan of this kind and this manifest. This one must hold none: keep(0) comes before, and is
  /// published. Returns how many tokens it holds now: 0 where that cannot be, as the other one has
  /// dropped some or is of another kind.
  virtual uint64_t take_prefix(const Plan& from, uint64_t count) = 0;
};

/// The plan that `manifest` and `engine` offer under this name: "window", "cached" or "dynamic".
/// The engine and the manifest must outlive it. Errors: kIo (memory), kInvalidArgument (the engine
/// has no graph for it).
Result<std::unique_ptr<Plan>> make_plan(const std::string& name, Engine& engine,
                                        const Manifest& manifest);

/// The same for one of several plans over an engine: each has bindings of its own, so that a step
/// of another plan costs nothing. Over `memory.slot` it holds nothing until restore().
/// Errors: also kInvalidArgument (memory that is too small, or not whole pages).
Result<std::unique_ptr<Plan>> make_plan(const std::string& name,
                                        std::shared_ptr<SharedGraphs> graphs,
                                        const Manifest& manifest, const PlanMemory& memory);

}  // namespace ovenbird
