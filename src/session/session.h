// Stage 4, session. One conversation: its tokens, its sampler, its drafts, over a plan.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "ovenbird/result.hpp"
#include "session/plan.h"
#include "session/prompt_lookup.h"
#include "session/sampler.h"
#include "session/token_counts.h"

namespace ovenbird {

struct SessionOptions {
  SamplingOptions sampling;
  bool drafts = false;      // guess tokens from the history and verify several in one step
  uint64_t draft_salt = 0;  // see PromptLookupOptions
  float width_noise = 0;    // how far a logit may differ between two graph widths
};

/// Counts since the last prompt().
struct SessionStats {
  uint64_t prompt_tokens = 0;
  uint64_t reused_tokens = 0;  // of the prompt: were in the cache already
  uint64_t prefill_steps = 0;
  uint64_t decode_steps = 0;
  uint64_t drafted_tokens = 0;
  uint64_t accepted_tokens = 0;  // of the drafted: were what the model says
  /// Greedy choices made in a step that verified a draft, where the two best logits were closer
  /// than width_noise: there another graph width might have said the other one.
  uint64_t near_ties = 0;
};

class Session {
 public:
  /// The plan must outlive the session. Errors: kInvalidArgument (sampling options).
  static Result<Session> create(Plan& plan, uint32_t vocabulary, const SessionOptions& options);

  /// Makes `tokens`, the whole conversation so far, what the answer continues; they must not lie in
  /// tokens(). Computes only what the plan does not hold already. Errors: kInvalidArgument (none,
  /// or an id out of range; nothing has changed), those of Plan::step and of Sampler::sample (the
  /// next prompt() or next() goes on from what was committed).
  Status prompt(std::span<const int32_t> tokens);

  /// The next token of the answer. Allocates nothing within the first kAnswerTokens,
  /// but when a graph runs for the first time or rows are dropped.
  /// Errors: those of Plan::step and of Sampler::sample; the next call tries that token again.
  Result<int32_t> next();

  /// Prompt and answer; a few tokens more than next() has given, if drafts were accepted.
  std::span<const int32_t> tokens() const { return history_.tokens(); }

  const SessionStats& stats() const { return stats_; }

 private:
  Session(Plan& plan, uint32_t vocabulary, const SessionOptions& options);

  void remember(size_t same, std::span<const int32_t> tokens);
  std::span<const int32_t> uncomputed() const;
  Status prefill();
  Status decode();
  Status say(std::span<const float> logits);
  bool is_near_tie(std::span<const float> logits) const;

  Plan* plan_;
  SessionOptions options_;
  Sampler sampler_;
  TokenCounts history_;
  PromptLookup lookup_;
  size_t given_ = 0;  // of the history: prompt, and what next() has given
  std::vector<int32_t> step_tokens_;
  SessionStats stats_;
};

}  // namespace ovenbird
