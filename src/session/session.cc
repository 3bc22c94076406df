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
  said_.clear();
  // The last token is always computed: its logits are what the answer begins with.
  const size_t same = std::min(common_prefix(history_.tokens(), tokens), tokens.size() - 1);
  const uint64_t reused = plan_->keep(std::min<uint64_t>(same, plan_->tokens()));
  stats_.reused_tokens = reused;
  plan_->expect(tokens.size() + 1);
  history_.truncate(same);
  lookup_.truncate(same);
  for (const int32_t id : tokens.subspan(same)) history_.push(id);
  lookup_.append(tokens.subspan(same));
  history_.start_answer();
  return prefill(tokens.subspan(reused));
}

Status Session::prefill(std::span<const int32_t> tokens) {
  while (true) {
    const auto left = static_cast<uint32_t>(tokens.size());
    const uint32_t count = plan_->chunk(left, LogitRows::kLast);
    const Result<Logits> logits = plan_->step(tokens.first(count), LogitRows::kLast);
    if (!logits) return Failure{logits.error()};
    ++stats_.prefill_steps;
    plan_->commit(count);
    tokens = tokens.subspan(count);
    if (tokens.empty()) return say(logits->row(logits->rows - 1));
  }
}

Result<int32_t> Session::next() {
  OVENBIRD_CHECK(!history_.tokens().empty());  // prompt() comes first
  if (said_.empty()) {
    if (Status decoded = decode(); !decoded) return Failure{decoded.error()};
  }
  const int32_t id = said_.front();
  said_.pop_front();
  return id;
}

/// Computes the newest token, with a draft behind it if there is one, and says at least one more.
Status Session::decode() {
  // Usually one token; more if an earlier step failed after they were said.
  const std::span<const int32_t> all = history_.tokens();
  step_tokens_.assign(all.begin() + static_cast<ptrdiff_t>(plan_->tokens()), all.end());
  if (step_tokens_.size() > 1) return prefill(std::vector<int32_t>(step_tokens_));
  if (options_.drafts) {
    const uint32_t room = plan_->chunk(kDraftTokensMax + 1, LogitRows::kAll);
    step_tokens_.resize(room);
    step_tokens_.resize(1 + lookup_.propose(std::span(step_tokens_).subspan(1)));
  }
  const uint32_t drafted = static_cast<uint32_t>(step_tokens_.size()) - 1;
  const Result<Logits> logits =
      plan_->step(step_tokens_, drafted > 0 ? LogitRows::kAll : LogitRows::kLast);
  if (!logits) return Failure{logits.error()};
  ++stats_.decode_steps;
  stats_.drafted_tokens += drafted;
  uint32_t accepted = 0;
  while (true) {
    const std::span<const float> row = logits->row(accepted);
    if (drafted > 0 && is_near_tie(row)) ++stats_.near_ties;
    if (Status done = say(row); !done) return done;
    if (accepted == drafted || step_tokens_[accepted + 1] != said_.back()) break;
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
  lookup_.push(*id);
  said_.push_back(*id);
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
  return best - second < kWidthNoise;
}

}  // namespace ovenbird
