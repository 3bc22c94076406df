// Stage 4, session. How a conversation's tokens become logits: over a cache, or over a bare window.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "bundle/manifest.h"
#include "engine/engine.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

/// Tokens of answer that room is taken for before it begins, so that saying them takes none.
inline constexpr size_t kAnswerTokens = 1024;

/// Whose logits a step must give.
enum class LogitRows { kLast, kAll };

/// Logits of a step's newest rows, [rows, vocabulary], the last one being the newest token's.
/// Valid until the plan's next call.
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
class Plan {
 public:
  virtual ~Plan() = default;

  /// Tokens of the conversation that have been committed, those dropped since included.
  virtual uint64_t tokens() const = 0;

  /// How many of the next `tokens` one step should take, in [1, tokens].
  virtual uint32_t chunk(uint32_t tokens, LogitRows wanted) const = 0;

  /// Time of a step that takes `tokens` and gives a row for each, over that of a step of one token.
  /// An estimate, to decide whether drafts pay.
  virtual double relative_cost(uint32_t tokens) const = 0;

  /// Says that an answer goes on behind so many tokens: time to have its graphs compiled.
  virtual void expect(uint64_t tokens) = 0;

  /// Computes the next tokens of the conversation, at most chunk(tokens.size(), wanted) of them;
  /// with kAll there is a row of logits for each. May drop old tokens to make room.
  /// Errors: what Engine::bind() and Engine::step() give; what was committed stays good.
  virtual Result<Logits> step(std::span<const int32_t> tokens, LogitRows wanted) = 0;

  /// Keeps the first `count` tokens of the last step; at most once for each step.
  virtual void commit(uint32_t count) = 0;

  /// Keeps what it can of the conversation's first `count` tokens and forgets the rest. Returns how
  /// many tokens need not be given again: `count`, or 0 where some of them have been dropped.
  virtual uint64_t keep(uint64_t count) = 0;
};

/// The plan that `manifest` and `engine` offer under this name: "window", "cached" or "dynamic".
/// The engine and the manifest must outlive it. Errors: kIo (memory).
Result<std::unique_ptr<Plan>> make_plan(const std::string& name, Engine& engine,
                                        const Manifest& manifest);

}  // namespace ovenbird
