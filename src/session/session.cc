// Prompt, decode, verify.
#include "session/session.h"

#include <algorithm>
#include <limits>
#include <string>

#include "base/check.h"

namespace ovenbird {
namespace {

constexpr uint32_t kLogitRowsMax = 8;    // of a step that verifies a draft of a program's own
constexpr uint32_t kDraftTokensMax = 7;  // with the token before them they fill a step of width 8

size_t common_prefix(std::span<const int32_t> a, std::span<const int32_t> b) {
  const auto [end, unused] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<size_t>(end - a.begin());
}

Status check_logit_rows(uint32_t rows, size_t tokens) {
  if (rows <= std::min<size_t>(kLogitRowsMax, tokens)) return ok();
  return fail(Code::kInvalidArgument, "logits of " + std::to_string(rows) + " tokens: at most " +
                                          std::to_string(kLogitRowsMax) +
                                          " can be asked for, and no more than the prompt has");
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

Status Session::check_tokens(std::span<const int32_t> tokens) const {
  if (tokens.empty()) return fail(Code::kInvalidArgument, "prompt: it has no tokens");
  for (const int32_t id : tokens) {
    if (id < 0 || static_cast<uint32_t>(id) >= history_.vocabulary_tokens()) {
      return fail(Code::kInvalidArgument, "prompt: token id " + std::to_string(id) +
                                              "; the vocabulary has ids 0 to " +
                                              std::to_string(history_.vocabulary_tokens() - 1));
    }
  }
  return ok();
}

Status Session::begin(std::span<const int32_t> tokens) {
  if (Status checked = check_tokens(tokens); !checked) return checked;
  is_unsaid_ = false;
  // The last token is always computed: its logits are what the answer begins with.
  begin_at(tokens.size() - 1, tokens);
  return ok();
}

Status Session::begin_unsaid(std::span<const int32_t> tokens, uint32_t logit_rows) {
  if (Status checked = check_tokens(tokens); !checked) return checked;
  if (Status checked = check_logit_rows(logit_rows, tokens.size()); !checked) return checked;
  is_unsaid_ = true;
  logit_rows_ = logit_rows;
  begin_at(tokens.size() - logit_rows, tokens);
  return ok();
}

/// Makes the history `tokens`, and keeps of the first `same_max` of them what can be kept.
void Session::begin_at(size_t same_max, std::span<const int32_t> tokens) {
  const size_t same = std::min(common_prefix(history_.tokens(), tokens), same_max);
  logits_ = {};
  stats_ = {.prompt_tokens = tokens.size()};
  stats_.reused_tokens = plan_->keep(std::min<uint64_t>(same, plan_->tokens()));
  reserve(tokens.size());
  history_.truncate(same);
  if (options_.drafts) lookup_.truncate(same);
  push_prompt(tokens.subspan(same));
}

void Session::reserve(size_t tokens) {
  history_.reserve(tokens + kAnswerTokens);
  if (options_.drafts) lookup_.reserve(tokens + kAnswerTokens);
}

void Session::push_prompt(std::span<const int32_t> tokens) {
  for (const int32_t id : tokens) history_.push(id);
  history_.start_answer();
  if (options_.drafts) lookup_.append(tokens);
  prompt_tokens_ = history_.tokens().size();
  given_ = prompt_tokens_;
}

Status Session::resume(const KeptConversation& kept) {
  if (Status checked = check_tokens(kept.tokens); !checked) return checked;
  const size_t tokens = kept.tokens.size();
  const bool is_unsaid = kept.unsaid_logit_rows.has_value();
  const size_t prompt_tokens_min = is_unsaid ? tokens : 1;
  if (kept.prompt_tokens < prompt_tokens_min || kept.prompt_tokens > tokens) {
    return fail(Code::kInvalidArgument,
                "resume: " + std::to_string(kept.prompt_tokens) + " tokens of " +
                    std::to_string(tokens) + " are said to be prompt; it must be " +
                    std::to_string(prompt_tokens_min) + " at least and not more than all");
  }
  if (plan_->tokens() > tokens) {
    return fail(Code::kInvalidArgument,
                "resume: the plan holds " + std::to_string(plan_->tokens()) +
                    " tokens of a conversation of " + std::to_string(tokens));
  }
  const uint32_t logit_rows = kept.unsaid_logit_rows.value_or(1);
  if (Status checked = check_logit_rows(logit_rows, tokens); !checked) return checked;
  is_unsaid_ = is_unsaid;
  logit_rows_ = logit_rows;
  logits_ = {};
  stats_ = {.prompt_tokens = kept.prompt_tokens,
            .reused_tokens = std::min<uint64_t>(plan_->tokens(), kept.prompt_tokens)};
  reserve(tokens);
  history_.truncate(0);
  lookup_.truncate(0);
  push_prompt(kept.tokens.first(kept.prompt_tokens));
  const std::span<const int32_t> answer = kept.tokens.subspan(kept.prompt_tokens);
  for (const int32_t id : answer) history_.push(id);
  if (options_.drafts) lookup_.replay(answer, draft_tokens());
  given_ = tokens;
  return ok();
}

Status Session::step() {
  OVENBIRD_CHECK(!history_.tokens().empty());  // begin() comes first
  if (is_unsaid_) return step_unsaid();
  // Computed without an answer, and resumed for one.
  if (uncomputed().empty()) plan_->keep(history_.tokens().size() - 1);
  // Behind the prompt one token is left; more if the plan has lost what it held.
  const bool is_answer = history_.tokens().size() > prompt_tokens_ && uncomputed().size() == 1;
  return is_answer ? step_answer() : step_prompt();
}

bool Session::is_computed() const {
  if (is_unsaid_) return uncomputed().empty();
  return history_.tokens().size() > prompt_tokens_;
}

Status Session::prompt(std::span<const int32_t> tokens) {
  Status done = begin(tokens);
  while (done && !is_computed()) done = step();
  return done;
}

Result<int32_t> Session::next() {
  OVENBIRD_CHECK(!history_.tokens().empty() && !is_unsaid_);  // prompt() comes first
  while (given_ == history_.tokens().size()) {
    if (Status done = step(); !done) return Failure{done.error()};
  }
  return history_.tokens()[given_++];
}

std::span<const int32_t> Session::uncomputed() const {
  return history_.tokens().subspan(plan_->tokens());
}

/// How many tokens a draft may have in the next step.
uint32_t Session::draft_tokens() const {
  return plan_->chunk(kDraftTokensMax + 1, LogitRows::kAll) - 1;
}

Status Session::run(std::span<const int32_t> tokens, LogitRows wanted) {
  logits_ = {};
  const Result<Logits> logits = plan_->step(tokens, wanted);
  if (!logits) return Failure{logits.error()};
  logits_ = *logits;
  return ok();
}

/// Computes a chunk of what the plan does not hold yet; behind the last one says a token.
Status Session::step_prompt() {
  const std::span<const int32_t> tokens = uncomputed();
  const auto left = static_cast<uint32_t>(tokens.size());
  const uint32_t count = plan_->chunk(left, LogitRows::kLast);
  if (Status done = run(tokens.first(count), LogitRows::kLast); !done) return done;
  ++stats_.prefill_steps;
  if (count == left) {
    // Said before it is committed: logits that are none have a step behind them to do again.
    if (Status said = say(logits_.row(0)); !said) return said;
  }
  plan_->commit(count);
  return ok();
}

/// Computes a chunk of the prompt, ending where rows of logits begin to be wanted, or of its end.
Status Session::step_unsaid() {
  const std::span<const int32_t> tokens = uncomputed();
  OVENBIRD_CHECK(!tokens.empty());  // is_computed()
  const auto left = static_cast<uint32_t>(tokens.size());
  // One row is what any step gives of its last token.
  const uint32_t rows = logit_rows_ > 1 ? logit_rows_ : 0;
  const LogitRows wanted = left > rows ? LogitRows::kLast : LogitRows::kAll;
  const uint32_t count = plan_->chunk(left > rows ? left - rows : left, wanted);
  if (Status done = run(tokens.first(count), wanted); !done) return done;
  ++stats_.prefill_steps;
  plan_->commit(count);
  return ok();
}

/// Computes the newest token, with a draft behind it if there is one, and says at least one more.
Status Session::step_answer() {
  if (stats_.decode_steps == 0) plan_->expect(history_.tokens().size());
  step_tokens_.assign(1, history_.tokens().back());
  if (options_.drafts) {
    step_tokens_.resize(1 + draft_tokens());
    step_tokens_.resize(1 + lookup_.propose(std::span(step_tokens_).subspan(1)));
  }
  const auto drafted = static_cast<uint32_t>(step_tokens_.size()) - 1;
  const LogitRows wanted = drafted > 0 ? LogitRows::kAll : LogitRows::kLast;
  if (Status done = run(step_tokens_, wanted); !done) return done;
  ++stats_.decode_steps;
  stats_.drafted_tokens += drafted;
  uint32_t accepted = 0;
  while (true) {
    const std::span<const float> row = logits_.row(accepted);
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
  if (!id) {
    logits_ = {};
    return Failure{id.error()};
  }
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
