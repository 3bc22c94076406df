// Prompt, decode, verify.
#include "session/session.h"

#include <algorithm>
#include <limits>
#include <string>

#include "base/check.h"

namespace ovenbird {
namespace {

constexpr uint32_t kDraftTokensMax = 7;  // with the token before them they fill a step of width 8

size_t common_prefix(std::span<const int32_t> a, std::span<const int32_t> b) {
  const auto [end, unused] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<size_t>(end - a.begin());
}

PromptLookupOptions lookup_options(const Plan& plan, const SessionOptions& options) {
  PromptLookupOptions lookup;
  lookup.verify_cost_ratio = plan.relative_cost(kDraftTokensMax + 1);
  lookup.salt = options.draft_salt;
  return lookup;
}

}  // namespace

Result<Session> Session::create(Plan& plan, uint32_t vocabulary, const SessionOptions& options) {
  if (Status valid = options.sampling.validate(vocabulary); !valid) return Failure{valid.error()};
  return Session(plan, vocabulary, options);
}

Session::Session(Plan& plan, uint32_t vocabulary, const SessionOptions& options)
    : plan_(&plan),
      options_(options),
      sampler_(options.sampling, vocabulary),
      history_(vocabulary),
      lookup_(lookup_options(plan, options)) {}

Status Session::prompt(std::span<const int32_t> tokens) {
  if (tokens.empty()) return fail(Code::kInvalidArgument, "prompt: it has no tokens");
  for (const int32_t id : tokens) {
    if (id < 0 || static_cast<uint32_t>(id) >= history_.vocabulary_tokens()) {
      return fail(Code::kInvalidArgument, "prompt: token id " + std::to_string(id) +
                                              "; the vocabulary has ids 0 to " +
                                              std::to_string(history_.vocabulary_tokens() - 1));
    }
  }
  stats_ = {.prompt_tokens = tokens.size()};
  // The last token is always computed: its logits are what the answer begins with.
  const size_t same = std::min(common_prefix(history_.tokens(), tokens), tokens.size() - 1);
  stats_.reused_tokens = plan_->keep(std::min<uint64_t>(same, plan_->tokens()));
  remember(same, tokens.subspan(same));
  given_ = tokens.size();
  return prefill();
}

/// Makes the history its first `same` tokens and then `tokens`.
void Session::remember(size_t same, std::span<const int32_t> tokens) {
  history_.reserve(same + tokens.size() + kAnswerTokens);
  history_.truncate(same);
  for (const int32_t id : tokens) history_.push(id);
  history_.start_answer();
  if (!options_.drafts) return;
  lookup_.reserve(same + tokens.size() + kAnswerTokens);
  lookup_.truncate(same);
  lookup_.append(tokens);
}

std::span<const int32_t> Session::uncomputed() const {
  return history_.tokens().subspan(plan_->tokens());
}

/// Computes what the plan does not hold yet, and says the token after it.
Status Session::prefill() {
  while (true) {
    const std::span<const int32_t> tokens = uncomputed();
    const auto left = static_cast<uint32_t>(tokens.size());
    const uint32_t count = plan_->chunk(left, LogitRows::kLast);
    const Result<Logits> logits = plan_->step(tokens.first(count), LogitRows::kLast);
    if (!logits) return Failure{logits.error()};
    ++stats_.prefill_steps;
    if (count == left) {
      // Said before it is committed: logits that are none have a step behind them to do again.
      if (Status said = say(logits->row(0)); !said) return said;
    }
    plan_->commit(count);
    if (count == left) return ok();
  }
}

Result<int32_t> Session::next() {
  OVENBIRD_CHECK(!history_.tokens().empty());  // prompt() comes first
  if (given_ == history_.tokens().size()) {
    if (Status decoded = decode(); !decoded) return Failure{decoded.error()};
  }
  return history_.tokens()[given_++];
}

/// Computes the newest token, with a draft behind it if there is one, and says at least one more.
Status Session::decode() {
  // Usually one token is left; more if an earlier step failed after they were said.
  if (uncomputed().size() > 1) return prefill();
  if (stats_.decode_steps == 0) plan_->expect(history_.tokens().size());
  step_tokens_.assign(1, history_.tokens().back());
  if (options_.drafts) {
    step_tokens_.resize(plan_->chunk(kDraftTokensMax + 1, LogitRows::kAll));
    step_tokens_.resize(1 + lookup_.propose(std::span(step_tokens_).subspan(1)));
  }
  const auto drafted = static_cast<uint32_t>(step_tokens_.size()) - 1;
  const Result<Logits> logits =
      plan_->step(step_tokens_, drafted > 0 ? LogitRows::kAll : LogitRows::kLast);
  if (!logits) return Failure{logits.error()};
  ++stats_.decode_steps;
  stats_.drafted_tokens += drafted;
  uint32_t accepted = 0;
  while (true) {
    const std::span<const float> row = logits->row(accepted);
    if (drafted > 0 && is_near_tie(row)) ++stats_.near_ties;
    if (Status said = say(row); !said) return said;
    if (accepted == drafted || step_tokens_[accepted + 1] != history_.tokens().back()) break;
    ++accepted;
  }
  stats_.accepted_tokens += accepted;
  plan_->commit(1 + accepted);
  return ok();
}

Status Session::say(std::span<const float> logits) {
  const Result<int32_t> id = sampler_.sample(logits, history_, history_.tokens().size());
  if (!id) return Failure{id.error()};
  history_.push(*id);
  if (options_.drafts) lookup_.push(*id);
  return ok();
}

bool Session::is_near_tie(std::span<const float> logits) const {
  if (options_.sampling.temperature != 0) return false;
  float best = logits[0];
  float second = -std::numeric_limits<float>::infinity();
  for (const float logit : logits.subspan(1)) {
    second = std::max(second, std::min(logit, best));
    best = std::max(best, logit);
  }
  return best - second < options_.width_noise;
}

}  // namespace ovenbird
