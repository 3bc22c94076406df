// Turns: begun or taken up, stepped, published, finished.
#include "worker/slot_runner.h"

#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <random>
#include <utility>

#include "base/check.h"
#include "base/page_memory.h"
#include "session/cache_slot.h"

namespace ovenbird {
namespace {

/// A record's logits to the end of their last page, as a device wants them.
std::span<float> whole_pages(std::span<float> logits) {
  return {logits.data(), round_up_to_page(logits.size_bytes()) / sizeof(float)};
}

std::span<const int32_t> tokens_of(const wire::Record& record) {
  return record.tokens().first(record.point().tokens);
}

bool same_sampling(const wire::Turn& a, const wire::Turn& b) {
  return a.flags == b.flags && a.bias_count == b.bias_count &&
         std::memcmp(&a.sampling, &b.sampling, sizeof a.sampling) == 0 &&
         std::memcmp(a.biases.data(), b.biases.data(), a.bias_count * sizeof(wire::LogitBias)) == 0;
}

}  // namespace

SlotRunner::SlotRunner(const WorkerModel& model, const wire::Arena& arena, uint32_t slot)
    : model_(model), arena_(arena), slot_(slot) {}

Status SlotRunner::finish_move() {
  const std::optional<SlotMemory> memory = slot_memory();
  if (!memory) return ok();
  Result<CacheSlot> slot = CacheSlot::create(model_.manifest, arena_.shape().rows, *memory);
  if (!slot) return Failure{slot.error()};
  static_cast<void>(slot->finish_move());  // a header that cannot be is an empty slot's now
  return ok();
}

Status SlotRunner::attach(AttachedSession session) {
  detach();
  if (session.record.shape().vocabulary != model_.manifest.model.vocabulary) {
    return fail(Code::kCorrupt, "attach session: its record is another model's");
  }
  const wire::Point point = session.record.point();
  const bool wants_logits = !session.record.logits().empty();
  // A plan over nothing of this session may stay as it is, bound to the slot.
  const bool may_stay = plan_ && point.computed == 0 && !wants_logits && !session.slot_is_written;
  if (may_stay) {
    plan_->keep(0);
  } else {
    plan_.reset();
    if (Status made = make_plan_over(whole_pages(session.record.logits())); !made) return made;
    const auto computed = session.record.tokens().first(point.computed);
    static_cast<void>(plan_->restore(computed));  // what cannot be restored is computed again
  }
  writes_shared_logits_ = wants_logits;
  session_.emplace(std::move(session));
  return ok();
}

std::optional<SlotMemory> SlotRunner::slot_memory() const {
  if (arena_.shape().tensors == 0) return std::nullopt;
  return SlotMemory{.pages = arena_.slot_pages(slot_),
                    .header = &arena_.slot_header(slot_),
                    .scratch = arena_.scratch()};
}

Status SlotRunner::make_plan_over(std::span<float> logits) {
  const PlanMemory memory{.slot = slot_memory(), .logits = logits};
  Result<std::unique_ptr<Plan>> plan =
      make_plan(model_.plan, model_.graphs, model_.manifest, memory);
  if (!plan) return Failure{plan.error()};
  plan_ = std::move(*plan);
  return ok();
}

void SlotRunner::detach() {
  // A plan whose logits lie in the record must not outlive its mapping.
  if (writes_shared_logits_) plan_.reset();
  writes_shared_logits_ = false;
  conversation_.reset();
  turn_number_ = 0;
  session_.reset();
}

Result<SlotRunner::Outcome> SlotRunner::step(std::span<const std::unique_ptr<SlotRunner>> others) {
  OVENBIRD_CHECK(has_turn());
  Result<Outcome> outcome = go_on(others);
  if (outcome || outcome.error().code != Code::kInvalidArgument) return outcome;
  conversation_.reset();
  return finish(wire::Finish::kFailed, &outcome.error());
}

Result<SlotRunner::Outcome> SlotRunner::go_on(std::span<const std::unique_ptr<SlotRunner>> others) {
  const wire::Orders& orders = record().header().orders;
  const uint32_t asked = orders.turn_asked.load(std::memory_order_acquire);
  if (turn_number_ != asked) {
    if (Status begun = begin_turn(others); !begun) return Failure{begun.error()};
    turn_number_ = asked;
  }
  if (orders.turn_cancel.load(std::memory_order_acquire) == asked) {
    return finish(wire::Finish::kCancelled);
  }
  if (const auto reason = finish_reason()) return finish(*reason);
  if (wire::LogitsPlace place = record().logits_place(); place.rows > 0) {
    place.rows = 0;
    record().set_logits_place(place);
  }
  if (Status done = conversation_->step(); !done) return Failure{done.error()};
  publish();
  if (const auto reason = finish_reason()) return finish(*reason);
  return Outcome::kGoesOn;
}

/// Begins the turn that the record asks for, or goes on with it where another worker was.
Status SlotRunner::begin_turn(std::span<const std::unique_ptr<SlotRunner>> others) {
  const wire::Turn before = std::exchange(turn_, record().header().turn);
  const wire::Point point = record().point();
  if (turn_.prompt_tokens == 0 || turn_.prompt_tokens > point.tokens) {
    return fail(Code::kInvalidArgument, "turn: the conversation is empty; feed it tokens first");
  }
  counts_before_ = record().header().result;
  waited_at_first_token_.reset();
  // The last token is always computed: its logits are what the answer begins with.
  plan_->keep(std::min<uint64_t>({plan_->tokens(), point.computed, point.tokens - 1}));
  const auto prompt = tokens_of(record()).first(turn_.prompt_tokens);
  if (point.tokens == turn_.prompt_tokens) {
    if ((turn_.flags & wire::kSharePrefix) != 0) take_best_prefix(others, prompt);
    counts_before_.reused_tokens = plan_->tokens();
  }
  record().set_point({.tokens = point.tokens, .computed = static_cast<uint32_t>(plan_->tokens())});
  if (!conversation_ || !same_sampling(before, turn_)) {
    if (Status opened = open_conversation(turn_); !opened) return opened;
  }
  const Status resumed =
      conversation_->resume({.tokens = tokens_of(record()), .prompt_tokens = turn_.prompt_tokens});
  if (!resumed || turn_.answer_tokens_max > 0) return resumed;
  return conversation_->begin_unsaid(prompt, turn_.logit_rows);
}

Status SlotRunner::open_conversation(const wire::Turn& turn) {
  conversation_.reset();
  Result<Session> made = Session::create(*plan_, model_.manifest.model.vocabulary,
                                         {.sampling = wire::sampling_of(turn),
                                          .drafts = (turn.flags & wire::kDrafts) != 0,
                                          .draft_salt = std::random_device()(),
                                          .width_noise = model_.width_noise});
  if (!made) return Failure{made.error()};
  conversation_.emplace(std::move(*made));
  return ok();
}

/// Copies the rows of another slot whose conversation begins alike, if it knows more of it.
void SlotRunner::take_best_prefix(std::span<const std::unique_ptr<SlotRunner>> others,
                                  std::span<const int32_t> prompt) {
  const SlotRunner* best = nullptr;
  uint64_t most = plan_->tokens();
  for (const std::unique_ptr<SlotRunner>& other : others) {
    if (other.get() == this || !other->is_attached()) continue;
    const uint64_t same = std::min<uint64_t>(other->common_prefix(prompt), prompt.size() - 1);
    if (same <= most) continue;
    most = same;
    best = other.get();
  }
  if (!best) return;
  // From here on the slot holds nothing that the record could speak of.
  record().set_point({.tokens = record().point().tokens, .computed = 0});
  plan_->keep(0);
  plan_->take_prefix(*best->plan_, most);
}

/// How many tokens of `prompt` this slot has rows of.
uint64_t SlotRunner::common_prefix(std::span<const int32_t> prompt) const {
  // What has been fed since the session's last step has no rows yet.
  const size_t rows = std::min<uint64_t>(record().point().computed, plan_->tokens());
  const auto mine = record().tokens().first(std::min(rows, prompt.size()));
  const auto [end, unused] = std::mismatch(mine.begin(), mine.end(), prompt.begin());
  // The supervisor may have fed others meanwhile; before it did, it lowered the point.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return std::min<uint64_t>(static_cast<uint64_t>(end - mine.begin()), record().point().computed);
}

/// Why the turn is over, as far as the record tells; none: it goes on.
std::optional<wire::Finish> SlotRunner::finish_reason() const {
  if (turn_.answer_tokens_max == 0) {
    if (conversation_->is_computed()) return wire::Finish::kLength;
    return std::nullopt;
  }
  const auto answer = tokens_of(record()).subspan(turn_.prompt_tokens);
  const auto ends = std::span(turn_.end_ids).first(std::min(turn_.end_id_count, wire::kEndIdsMax));
  if (!answer.empty() && std::find(ends.begin(), ends.end(), answer.back()) != ends.end()) {
    return wire::Finish::kEnd;
  }
  if (answer.size() >= turn_.answer_tokens_max) return wire::Finish::kLength;
  if (record().point().tokens == record().shape().tokens_max) return wire::Finish::kFull;
  return std::nullopt;
}

/// How many of these tokens, said by one step, belong to the answer: up to the first that ends it,
/// and no more than there is room for.
uint32_t SlotRunner::sayable(std::span<const int32_t> said) const {
  const uint32_t tokens = record().point().tokens;
  const uint32_t answered = tokens - turn_.prompt_tokens;
  const uint32_t room =
      std::min(turn_.answer_tokens_max - std::min(answered, turn_.answer_tokens_max),
               record().shape().tokens_max - tokens);
  said = said.first(std::min<size_t>(said.size(), room));
  const auto ends = std::span(turn_.end_ids).first(std::min(turn_.end_id_count, wire::kEndIdsMax));
  const auto end = std::find_first_of(said.begin(), said.end(), ends.begin(), ends.end());
  return static_cast<uint32_t>(end == said.end() ? said.size() : end - said.begin() + 1);
}

/// Makes the last step count.
void SlotRunner::publish() {
  const uint32_t before = record().point().tokens;
  const auto said = conversation_->tokens().subspan(before);
  const uint32_t count = sayable(said);
  std::copy_n(said.begin(), count, record().tokens().begin() + before);
  const uint32_t tokens = before + count;
  if (count > 0 && !waited_at_first_token_) waited_at_first_token_ = model_.engine.waited();
  publish_counts();
  record().set_point(
      {.tokens = tokens,
       .computed = static_cast<uint32_t>(std::min<uint64_t>(plan_->tokens(), tokens))});
  arena_.slot_header(slot_).tokens.store(tokens, std::memory_order_relaxed);
  if (writes_shared_logits_) publish_logits();
  std::atomic<uint64_t>& said_tokens = model_.status.said_tokens;
  said_tokens.store(said_tokens.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  if (count == 0) return;  // part of a prompt: nobody waits for it
  record().wake();
  give_notice();
}

void SlotRunner::publish_logits() {
  const Logits& logits = conversation_->logits();
  const wire::LogitsPlace before = record().logits_place();
  const auto offset = logits.values.data() - record().logits().data();
  record().set_logits_place(
      {.step = before.step + 1,
       .first_row = static_cast<uint16_t>(offset / record().shape().vocabulary),
       .rows = static_cast<uint16_t>(logits.rows)});
}

void SlotRunner::publish_counts() {
  const SessionStats& stats = conversation_->stats();
  wire::TurnResult& result = record().header().result;
  result.reused_tokens = counts_before_.reused_tokens;
  result.prefill_steps = counts_before_.prefill_steps + stats.prefill_steps;
  result.decode_steps = counts_before_.decode_steps + stats.decode_steps;
  result.drafted_tokens = counts_before_.drafted_tokens + stats.drafted_tokens;
  result.accepted_tokens = counts_before_.accepted_tokens + stats.accepted_tokens;
  result.near_ties = counts_before_.near_ties + stats.near_ties;
  if (!waited_at_first_token_) return;
  const auto waited = model_.engine.waited() - *waited_at_first_token_;
  result.compile_ns = counts_before_.compile_ns + static_cast<uint64_t>(waited.count());
}

SlotRunner::Outcome SlotRunner::finish(wire::Finish finish, const Error* error) {
  record().finish_turn(finish, error);
  give_notice();
  return Outcome::kTurnOver;
}

/// A byte for who polls. One who does not read has unread ones, and needs no more.
void SlotRunner::give_notice() const {
  if (!session_->notice) return;
  const char byte = 0;
  static_cast<void>(::send(session_->notice.descriptor(), &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL));
}

}  // namespace ovenbird
