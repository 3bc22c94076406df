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

/// Counts since the last begin() or resume().
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

/// A conversation as its owner has kept it while no session was there.
struct KeptConversation {
  std::span<const int32_t> tokens;  // prompt and answer
  size_t prompt_tokens = 0;         // how many of them are prompt, in [1, tokens.size()]
  /// What begin_unsaid() was told; then all tokens are prompt. Rows of logits of tokens that have
  /// been computed are not given again.
  std::optional<uint32_t> unsaid_logit_rows = std::nullopt;
};

/// Over a durable plan (see Plan) its owner publishes, together, tokens() and the plan's tokens():
/// after begin(), and after every step() that is done before the next one. A session in another
/// process that resumes from these makes the same steps and says the same tokens. (With drafts the
/// same but for what drafts were worth: see PromptLookup::replay.)
class Session {
 public:
  /// The plan must outlive the session. Errors: kInvalidArgument (sampling options).
  static Result<Session> create(Plan& plan, uint32_t vocabulary, const SessionOptions& options);

  /// Makes `tokens`, the whole conversation so far, what the answer continues; they must not lie in
  /// tokens(). Keeps what the plan holds of them already, computes nothing.
  /// Errors: kInvalidArgument (none, or an id out of range; nothing has changed).
  Status begin(std::span<const int32_t> tokens);

  /// The same for a caller who samples: nothing is said, and the steps that compute the newest
  /// `logit_rows` tokens, 0 to 8, give a row of logits for each. One step does where a graph gives
  /// as many rows, else several; these tokens are computed again if the plan holds them.
  /// With 0 rows the conversation is only put into the cache. Errors: as begin(); kInvalidArgument
  /// also for more rows than that or than tokens.
  Status begin_unsaid(std::span<const int32_t> tokens, uint32_t logit_rows);

  /// Takes up a conversation of which the plan holds the first plan.tokens(): after
  /// Plan::restore() or Plan::take_prefix(). An answer goes on where it was, its penalties and
  /// drafts too; begin() and begin_unsaid() may follow as they do after an answer.
  /// Errors: kInvalidArgument (as begin() and begin_unsaid(), prompt_tokens out of range, the plan
  /// holds more tokens; nothing has changed).
  Status resume(const KeptConversation& kept);

  /// Exactly one Plan::step: a chunk of the prompt, of which the last says the first token of the
  /// answer; or a token of the answer, with drafts perhaps several. Something must be left to
  /// compute: always, but after begin_unsaid() only until is_computed().
  /// Errors: those of Plan::step and of Sampler::sample; the next step() tries the same again.
  Status step();

  /// Whether the prompt has been computed; its first token has been said then, unless unsaid.
  bool is_computed() const;

  /// What the last step() gave, a row for each of the newest tokens computed; no rows if there was
  /// none since begin(), or if it failed. Valid as Plan::step says.
  const Logits& logits() const { return logits_; }

  /// begin(), and steps until the prompt is computed. Errors: theirs; the next prompt(), step() or
  /// next() goes on from what was committed.
  Status prompt(std::span<const int32_t> tokens);

  /// The next token of the answer. Allocates nothing within the first kAnswerTokens,
  /// but when a graph runs for the first time or rows are dropped.
  /// Errors: those of step(); the next call tries that token again.
  Result<int32_t> next();

  /// Prompt and answer; a few tokens more than next() has given, if drafts were accepted.
  std::span<const int32_t> tokens() const { return history_.tokens(); }
  size_t prompt_tokens() const { return prompt_tokens_; }

  /// At any time; counted by this session, not by the one that it resumes.
  const SessionStats& stats() const { return stats_; }

 private:
  Session(Plan& plan, uint32_t vocabulary, const SessionOptions& options);

  Status check_tokens(std::span<const int32_t> tokens) const;
  void begin_at(size_t same_max, std::span<const int32_t> tokens);
  void reserve(size_t tokens);
  void push_prompt(std::span<const int32_t> tokens);
  std::span<const int32_t> uncomputed() const;
  uint32_t draft_tokens() const;
  Status step_prompt();
  Status step_unsaid();
  Status step_answer();
  Status run(std::span<const int32_t> tokens, LogitRows wanted);
  Status say(std::span<const float> logits);
  bool is_near_tie(std::span<const float> logits) const;

  Plan* plan_;
  SessionOptions options_;
  Sampler sampler_;
  TokenCounts history_;
  PromptLookup lookup_;
  size_t prompt_tokens_ = 0;
  size_t given_ = 0;         // of the history: prompt, and what next() has given
  bool is_unsaid_ = false;   // the caller samples
  uint32_t logit_rows_ = 1;  // that the caller wants then
  std::vector<int32_t> step_tokens_;
  Logits logits_;
  SessionStats stats_;
};

}  // namespace ovenbird
