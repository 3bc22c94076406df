// Rows of links, and the order of stores of the real worker.
#include "fakes/fake_slot.h"

#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "fakes/fake_text.h"
#include "wire/slot_header.h"

namespace ovenbird {

void FakeSlot::attach(SharedMemory memory, const wire::Record& record, wire::MessageSocket notice) {
  detach();
  memory_ = std::move(memory);
  record_.emplace(record);
  notice_ = std::move(notice);
}

void FakeSlot::detach() {
  record_.reset();
  { const SharedMemory gone = std::exchange(memory_, SharedMemory()); }
  { const wire::MessageSocket gone = std::exchange(notice_, wire::MessageSocket()); }
  turn_number_ = 0;
  own_rows_.clear();
}

uint32_t FakeSlot::dropped() const {
  return has_rows() ? wire::layout_of(process_.arena.slot_header(slot_)).dropped : 0;
}

void FakeSlot::set_computed(uint32_t computed) const {
  record_->set_point({.tokens = record_->point().tokens, .computed = computed});
}

/// The bytes of one row of one head.
std::span<std::byte> FakeSlot::row(uint32_t tensor, uint32_t head, uint32_t row) const {
  const wire::ArenaShape& shape = process_.arena.shape();
  const uint32_t capacity = wire::layout_of(process_.arena.slot_header(slot_)).capacity;
  const size_t row_bytes = shape.scratch_bytes / shape.rows;
  const size_t offset = tensor * shape.tensor_bytes + (size_t{head} * capacity + row) * row_bytes;
  return process_.arena.slot_pages(slot_).subspan(offset, row_bytes);
}

void FakeSlot::write_link(uint32_t position, uint64_t link) {
  if (!has_rows()) {
    own_rows_.resize(position);
    own_rows_.push_back(link);
    return;
  }
  const wire::ArenaShape& shape = process_.arena.shape();
  const auto heads = static_cast<uint32_t>(shape.tensor_bytes / shape.scratch_bytes);
  for (uint32_t tensor = 0; tensor < shape.tensors; ++tensor) {
    for (uint32_t head = 0; head < heads; ++head) {
      const uint64_t mine = link ^ (uint64_t{tensor} << 8 | head);
      std::memcpy(row(tensor, head, position - dropped()).data(), &mine, sizeof mine);
    }
  }
}

/// The link behind the first `tokens` tokens, which every head must agree on.
uint64_t FakeSlot::link_behind(uint32_t tokens) const {
  if (tokens == 0) return kFakeBeginning;
  if (!has_rows()) return own_rows_[tokens - 1];
  const wire::ArenaShape& shape = process_.arena.shape();
  const auto heads = static_cast<uint32_t>(shape.tensor_bytes / shape.scratch_bytes);
  uint64_t link = 0;
  for (uint32_t tensor = 0; tensor < shape.tensors; ++tensor) {
    for (uint32_t head = 0; head < heads; ++head) {
      uint64_t mine = 0;
      std::memcpy(&mine, row(tensor, head, tokens - 1 - dropped()).data(), sizeof mine);
      mine ^= uint64_t{tensor} << 8 | head;
      if (tensor == 0 && head == 0) link = mine;
      if (mine != link) process_.refuse("heads of one row disagree", slot_);
    }
  }
  return link;
}

/// Lays the slot out for rows up to position `end`, and drops rows where there is no room. Nothing
/// counts as computed meanwhile.
void FakeSlot::make_room(uint32_t end) {
  if (!has_rows()) return;
  wire::SlotHeader& header = process_.arena.slot_header(slot_);
  const wire::SlotLayout from = wire::layout_of(header);
  const uint32_t rows_max = process_.arena.shape().rows;
  const uint32_t computed = record_->point().computed;
  if (from.capacity >= kCapacityStep && from.capacity <= rows_max &&
      end - from.dropped <= from.capacity) {
    return;
  }
  wire::SlotLayout to = from;
  if (end - from.dropped > rows_max) to.dropped = end - rows_max / 2;
  to.dropped = std::min(to.dropped, computed > 0 ? computed - 1 : 0);
  const uint32_t wanted = (end - to.dropped + kCapacityStep - 1) / kCapacityStep * kCapacityStep;
  to.capacity = std::min(wanted, rows_max);
  std::vector<uint64_t> links;
  for (uint32_t i = to.dropped; i < computed; ++i) links.push_back(link_behind(i + 1));
  set_computed(0);
  store();
  wire::set_layout(header, to);
  store();
  for (uint32_t i = to.dropped; i < computed; ++i) write_link(i, links[i - to.dropped]);
  set_computed(computed);
  store();
}

void FakeSlot::begin_turn(std::span<const std::unique_ptr<FakeSlot>> others) {
  turn_ = record_->header().turn;
  const wire::Point point = record_->point();
  const auto vocabulary = static_cast<int32_t>(record_->shape().vocabulary);
  const auto tokens = record_->tokens().first(point.tokens);
  const auto is_wrong = [vocabulary](int32_t id) { return id < 0 || id >= vocabulary; };
  if (turn_.prompt_tokens == 0 || turn_.prompt_tokens > point.tokens ||
      std::any_of(tokens.begin(), tokens.end(), is_wrong)) {
    process_.refuse("a turn that cannot be", slot_);
  }
  // The newest tokens are computed always: what comes next, or their logits, is made of them.
  const uint32_t wanted = turn_.answer_tokens_max == 0 ? std::max(1u, turn_.logit_rows) : 1;
  const uint32_t known = has_rows() ? point.computed : static_cast<uint32_t>(own_rows_.size());
  uint32_t computed =
      std::min({point.computed, known, point.tokens - std::min(wanted, point.tokens)});
  if (computed <= dropped()) computed = 0;
  set_computed(computed);
  if (computed == 0 && has_rows()) wire::set_layout(process_.arena.slot_header(slot_), {});
  if (point.tokens != turn_.prompt_tokens) return;
  if ((turn_.flags & wire::kSharePrefix) != 0) share_prefix(others);
  record_->header().result.reused_tokens = record_->point().computed;
}

/// How many tokens of `prompt` this slot has rows of, and all of them.
uint32_t FakeSlot::common_prefix(std::span<const int32_t> prompt) const {
  if (!record_ || !has_rows() || dropped() > 0) return 0;
  const auto mine = record_->tokens().first(record_->point().computed);
  const size_t known = std::min(mine.size(), prompt.size());
  const auto [end, unused] =
      std::mismatch(mine.begin(), mine.begin() + static_cast<ptrdiff_t>(known), prompt.begin());
  return static_cast<uint32_t>(end - mine.begin());
}

void FakeSlot::share_prefix(std::span<const std::unique_ptr<FakeSlot>> others) {
  const auto prompt = record_->tokens().first(turn_.prompt_tokens);
  for (const std::unique_ptr<FakeSlot>& other : others) {
    const uint32_t same = std::min(other->common_prefix(prompt), turn_.prompt_tokens - 1);
    if (other.get() == this || same <= record_->point().computed) continue;
    set_computed(0);
    store();
    wire::set_layout(process_.arena.slot_header(slot_), {});
    make_room(same);
    for (uint32_t i = 0; i < same; ++i) write_link(i, other->link_behind(i + 1));
    set_computed(same);
    store();
  }
}

/// Writes the rows of tokens [begin, end); returns the link behind them.
uint64_t FakeSlot::compute(uint32_t begin, uint32_t end) {
  make_room(end);
  uint64_t link = link_behind(begin);
  for (uint32_t i = begin; i < end; ++i) {
    link = fake_link(link, record_->tokens()[i]);
    write_link(i, link);
    store();
  }
  return link;
}

bool FakeSlot::step(std::span<const std::unique_ptr<FakeSlot>> others) {
  const wire::Orders& orders = record_->header().orders;
  const uint32_t asked = orders.turn_asked.load(std::memory_order_acquire);
  if (turn_number_ != asked) begin_turn(others);
  turn_number_ = asked;
  if (orders.turn_cancel.load(std::memory_order_acquire) == asked) {
    return finish(wire::Finish::kCancelled);
  }
  if (const auto reason = finish_reason()) return finish(*reason);
  store("step");
  record_->set_logits_place({.step = record_->logits_place().step});
  const wire::Point point = record_->point();
  const uint32_t end = std::min(point.computed + kChunk, point.tokens);
  const uint64_t link = compute(point.computed, end);
  const bool says = end == point.tokens && turn_.answer_tokens_max > 0;
  wire::TurnResult& result = record_->header().result;
  if (says) {
    record_->tokens()[end] = fake_next_token(link, turn_, record_->shape().vocabulary);
    store();
  }
  ++(point.tokens == turn_.prompt_tokens ? result.prefill_steps : result.decode_steps);
  store();
  record_->set_point({.tokens = point.tokens + (says ? 1 : 0), .computed = end});
  store();
  publish_logits(end);
  store();
  if (says) {
    process_.status.said_tokens.fetch_add(1, std::memory_order_relaxed);
    record_->wake();
    store();
    give_notice();
    store();
  }
  if (const auto reason = finish_reason()) return finish(*reason);
  return false;
}

/// Logits of the newest tokens that are computed, once all that are known are.
void FakeSlot::publish_logits(uint32_t computed) {
  const uint32_t rows_max = record_->shape().logit_rows;
  const bool is_whole = computed == record_->point().tokens || turn_.answer_tokens_max > 0;
  if (rows_max == 0 || !is_whole) return;
  const uint32_t asked = turn_.answer_tokens_max == 0 ? turn_.logit_rows : 1;
  const uint32_t rows = std::min({asked, rows_max, computed - dropped()});
  const size_t vocabulary = record_->shape().vocabulary;
  for (uint32_t i = 0; i < rows; ++i) {
    write_fake_logits(link_behind(computed - rows + i + 1),
                      record_->logits().subspan(i * vocabulary, vocabulary));
  }
  store();
  record_->set_logits_place(
      {.step = record_->logits_place().step + 1, .rows = static_cast<uint16_t>(rows)});
}

std::optional<wire::Finish> FakeSlot::finish_reason() const {
  const wire::Point point = record_->point();
  if (turn_.answer_tokens_max == 0) {
    if (point.computed == point.tokens) return wire::Finish::kLength;
    return std::nullopt;
  }
  const auto answer =
      record_->tokens().first(point.tokens).subspan(std::min(turn_.prompt_tokens, point.tokens));
  const auto ends = std::span(turn_.end_ids).first(std::min(turn_.end_id_count, wire::kEndIdsMax));
  if (!answer.empty() && std::find(ends.begin(), ends.end(), answer.back()) != ends.end()) {
    return wire::Finish::kEnd;
  }
  if (answer.size() >= turn_.answer_tokens_max) return wire::Finish::kLength;
  if (point.tokens == record_->shape().tokens_max) return wire::Finish::kFull;
  return std::nullopt;
}

bool FakeSlot::finish(wire::Finish finish) {
  store();
  record_->finish_turn(finish, nullptr);
  store();
  give_notice();
  store();
  return true;
}

void FakeSlot::give_notice() const {
  if (!notice_) return;
  const char byte = 0;
  static_cast<void>(::send(notice_.descriptor(), &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL));
}

}  // namespace ovenbird
