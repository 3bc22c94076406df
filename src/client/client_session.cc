// Turns asked for, listened to, cancelled, and asked for again where a supervisor was replaced.
#include "client/client_session.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/futex.h"
#include "client/session_file.h"
#include "wire/copied_once.h"

namespace ovenbird::client {
namespace {

using std::chrono::milliseconds;
using wire::ClientMessage;

constexpr milliseconds kLook{100};      // how soon it is seen that a supervisor has gone
constexpr milliseconds kSendAgain{10};  // while a message waits to be sent, or to be read
constexpr std::chrono::seconds kHandOverTime{10};

wire::Open body_of(const OpenHow& how) {
  return {.flags = (how.logits ? wire::kWithLogits : 0u) | (how.pollable ? wire::kWithNotice : 0u),
          .tokens_max = how.tokens_max};
}

double ms_between(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double, std::milli>(end - begin).count();
}

}  // namespace

ClientSession::ClientSession(std::shared_ptr<ModelClient> client, std::shared_ptr<SessionLink> link,
                             std::chrono::microseconds spin)
    : client_(std::move(client)),
      link_(std::move(link)),
      spin_(spin),
      conversation_(link_->record->shape().vocabulary, link_->record->shape().tokens_max) {}

ClientSession::~ClientSession() { client_->connection().drop(link_); }

Result<std::unique_ptr<ClientSession>> ClientSession::opened(std::shared_ptr<ModelClient> client,
                                                             const Letter& letter,
                                                             const OpenHow& how) {
  Connection& connection = client->connection();
  Result<wire::Message> answer = connection.ask(letter, ClientMessage::kOpened);
  if (!answer) return Failure{answer.error()};
  Result<std::shared_ptr<SessionLink>> link = connection.take(std::move(*answer), how.pollable);
  if (!link) return Failure{link.error()};
  return std::unique_ptr<ClientSession>(
      new ClientSession(std::move(client), std::move(*link), how.spin));
}

Result<std::unique_ptr<ClientSession>> ClientSession::open(std::shared_ptr<ModelClient> client,
                                                           const OpenHow& how) {
  return opened(std::move(client), Letter::of(ClientMessage::kOpen, 0, body_of(how)), how);
}

Result<std::unique_ptr<ClientSession>> ClientSession::load(std::shared_ptr<ModelClient> client,
                                                           const std::filesystem::path& path,
                                                           const OpenHow& how) {
  const Result<FileDescriptor> saved = read_session_file(path);
  if (!saved) return Failure{saved.error()};
  Letter letter = Letter::of(ClientMessage::kLoad, 0, body_of(how));
  letter.descriptor = saved->get();
  Result<std::unique_ptr<ClientSession>> session = opened(std::move(client), letter, how);
  if (!session) return fail_in("load " + path.string(), session.error());
  const wire::Record& record = (*session)->record();
  const auto held = record.tokens().first(record.point().tokens);
  const std::vector<int32_t> tokens(held.begin(), held.end());
  if (Status fed = (*session)->conversation_.feed_text(tokens); !fed) return Failure{fed.error()};
  (*session)->conversation_.stands();
  return session;
}

Result<Conversation*> ClientSession::idle_conversation() {
  if (!has_turn()) return &conversation_;
  return fail(Code::kInvalidArgument,
              "session: a turn is under way until next() says that it is over");
}

Status ClientSession::generate(const AnswerHow& how) {
  const Result<Conversation*> idle = idle_conversation();
  if (!idle) return Failure{idle.error()};
  const Result<ModelText>& text = client_->text();
  if (!text) return Failure{text.error()};
  using Position = StreamDecoder::Position;
  Result<AnswerStream> stream =
      AnswerStream::create({.tokenizer = text->tokenizer(),
                            .stops = how.stops,
                            .position = conversation_.ends_in_text() ? Position::kAfterOtherText
                                                                     : Position::kStartOfText});
  if (!stream) return fail_in("generate", stream.error());
  stream_.emplace(std::move(*stream));
  const std::span<const int32_t> no_ids;
  return begin({.ask = how.ask,
                .end_ids = how.ignore_end ? no_ids : std::span<const int32_t>(text->end_ids()),
                .biases = how.biases});
}

Status ClientSession::begin(const TurnToAsk& turn) {
  if (conversation_.tokens().empty()) {
    return fail(Code::kInvalidArgument, "generate: the conversation is empty; feed it something");
  }
  const uint32_t number = record().header().orders.turn_asked.load(std::memory_order_acquire) + 1;
  TurnToAsk numbered = turn;
  numbered.ask.number = number;
  if (std::exchange(is_new_fork_, false)) numbered.ask.flags |= wire::kSharePrefix;
  const auto tokens = std::span(conversation_.tokens());
  const size_t standing = conversation_.standing();
  letters_ = letters_to_ask(link_->session, standing, tokens.subspan(standing), numbered);
  letters_sent_ = 0;
  sent_in_ = 0;
  seen_ = static_cast<uint32_t>(tokens.size());
  prompt_tokens_ = tokens.size();
  given_tokens_ = 0;
  end_ = End::kNone;
  error_.reset();
  cancel_wanted_ = false;
  cancel_sent_ = false;
  began_ = Clock::now();
  client_->connection().begin_turn(*link_);
  turn_number_ = number;
  advance();
  return ok();
}

/// Sends what has not been sent to the supervisor of this generation. Whether all has been.
bool ClientSession::send_letters(uint32_t generation) {
  if (generation == 0) return false;
  const bool was_heard =
      record().header().orders.turn_asked.load(std::memory_order_acquire) == turn_number_;
  if (sent_in_ != generation) {
    // Whoever is there now may have read none of them, or some: to read one twice does no harm.
    letters_sent_ = was_heard ? letters_.size() : 0;
    sent_in_ = generation;
    cancel_sent_ = false;
  }
  while (letters_sent_ < letters_.size()) {
    if (client_->connection().tell(*link_, letters_[letters_sent_]) != Connection::Sent::kYes) {
      return false;
    }
    ++letters_sent_;
  }
  if (cancel_wanted_ && !cancel_sent_) cancel_sent_ = send_cancel();
  return cancel_sent_ || !cancel_wanted_;
}

bool ClientSession::send_cancel() {
  const Letter letter =
      Letter::of(ClientMessage::kCancel, link_->session, wire::Cancel{.turn = turn_number_});
  return client_->connection().tell(*link_, letter) == Connection::Sent::kYes;
}

/// Takes in everything that is new. Does not wait.
void ClientSession::advance() {
  // Also without a turn: what makes the descriptor readable is to be taken away.
  const Connection::View view = client_->connection().look(*link_);
  if (!has_turn()) return;
  send_letters(view.generation);
  // In this order: what is said before the end is there once the end is.
  const wire::RecordHeader& header = record().header();
  const uint32_t asked = header.orders.turn_asked.load(std::memory_order_acquire);
  const bool is_done =
      asked == turn_number_ && header.progress.turn_done.load(std::memory_order_acquire) == asked;
  if (asked == turn_number_) {
    conversation_.stands();
    take_said(record().point().tokens);
  }
  if (!has_turn()) return;
  if (is_done) {
    result_ = header.result;
    const auto finish = static_cast<wire::Finish>(result_.finish);
    if (finish == wire::Finish::kFailed) return end_turn(End::kFailed, wire::error_of(result_));
    const bool is_known = finish > wire::Finish::kNone && finish < wire::Finish::kFailed;
    return end_turn(is_known ? static_cast<End>(finish) : End::kCancelled);
  }
  if (view.lost) return end_turn(End::kFailed, view.lost);
  if (view.refused && asked != turn_number_) return end_turn(End::kFailed, view.refused);
}

void ClientSession::take_said(uint32_t tokens) {
  if (tokens <= seen_ || !stream_) return;
  const auto now = Clock::now();
  if (seen_ == prompt_tokens_) first_token_ = now;
  last_token_ = now;
  // Copied once: what is checked is what is used.
  const auto said = record().tokens().subspan(seen_, tokens - seen_);
  const std::vector<int32_t> copy(said.begin(), said.end());
  seen_ = tokens;
  const auto vocabulary = static_cast<int32_t>(record().shape().vocabulary);
  for (const int32_t id : copy) {
    if (id >= 0 && id < vocabulary) continue;
    return end_turn(End::kFailed, Error{Code::kCorrupt, "next: token " + std::to_string(id) +
                                                            " was said, which the model has not"});
  }
  stream_->add(copy);
  if (stream_->stopped_by()) cancel();
}

void ClientSession::end_turn(End end, std::optional<Error> error) {
  if (stream_) stream_->finish();
  // What comes after a stop string belongs to no answer, be it a failure.
  const bool has_stopped = stream_ && stream_->stopped_by();
  end_ = has_stopped ? End::kStop : end;
  error_ = has_stopped ? std::nullopt : std::move(error);
  letters_.clear();
}

void ClientSession::cancel() {
  if (turn_number_ == 0) return;
  cancel_wanted_ = true;
  // Another thread's may not arrive, and is not noted: advance() sends it, perhaps once more.
  static_cast<void>(send_cancel());
}

void ClientSession::sleep(uint32_t wake, Clock::time_point until) {
  const std::atomic<uint32_t>& word = record().header().progress.wake;
  const bool is_all_said =
      letters_sent_ == letters_.size() && sent_in_ != 0 && (!cancel_wanted_ || cancel_sent_);
  if (!is_all_said) {
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
    return client_->connection().wait(std::clamp(left, milliseconds(0), kSendAgain));
  }
  const Clock::time_point spin_until = std::min(Clock::now() + spin_, until);
  while (spin_.count() > 0 && Clock::now() < spin_until) {
    if (word.load(std::memory_order_acquire) != wake) return;
  }
  futex_wait(word, wake, std::min<std::chrono::nanoseconds>(kLook, until - Clock::now()));
}

Result<ClientSession::Piece> ClientSession::next(milliseconds time) {
  if (!had_turn()) {
    advance();
    return fail(Code::kInvalidArgument, "next: there was no turn yet");
  }
  const Clock::time_point until = time.count() < 0 ? Clock::time_point::max() : Clock::now() + time;
  Piece piece;
  while (true) {
    const uint32_t wake = record().header().progress.wake.load(std::memory_order_acquire);
    advance();
    if (stream_) piece.what = stream_->take();
    const bool is_new = !piece.what.text.empty() || !piece.what.tokens.empty();
    if (is_new || end_ != End::kNone || Clock::now() >= until) break;
    sleep(wake, until);
  }
  if (Status fed = conversation_.feed_text(piece.what.tokens); !fed) return Failure{fed.error()};
  given_tokens_ += piece.what.tokens.size();
  // They are the record's own: but not where a stop string took some of them away.
  if (!piece.what.tokens.empty()) conversation_.stands();
  if (end_ == End::kFailed && piece.what.tokens.empty() && piece.what.text.empty()) {
    return Failure{*error_};
  }
  // A turn that failed is over when the error has been given.
  if (end_ != End::kFailed) piece.end = end_;
  if (end_ == End::kStop) piece.stop = *stream_->stopped_by();
  return piece;
}

Status ClientSession::compute(uint32_t logit_rows) {
  const Result<Conversation*> idle = idle_conversation();
  if (!idle) return Failure{idle.error()};
  stream_.reset();
  Status begun = begin({.ask = {.logit_rows = logit_rows}});
  if (!begun) return begun;
  while (has_turn()) {
    const Result<Piece> piece = next(milliseconds(-1));
    if (!piece) return Failure{piece.error()};
  }
  if (end_ == End::kFailed) return Failure{*error_};
  if (end_ == End::kCancelled) return fail(Code::kInterrupted, "compute: it was cancelled");
  return ok();
}

ClientSession::Counts ClientSession::counts() const {
  Counts counts{.result = result_, .prompt_tokens = prompt_tokens_, .said_tokens = given_tokens_};
  const uint64_t computed_tokens = seen_ - prompt_tokens_;
  if (computed_tokens == 0) return counts;
  counts.first_token_ms = ms_between(began_, first_token_);
  const double rest_ms =
      ms_between(first_token_, last_token_) - static_cast<double>(result_.compile_ns) / 1e6;
  if (computed_tokens > 1 && rest_ms > 0) {
    counts.tokens_per_second = static_cast<double>(computed_tokens - 1) * 1000 / rest_ms;
  }
  return counts;
}

Result<std::unique_ptr<ClientSession>> ClientSession::fork(const OpenHow& how) {
  const Result<Conversation*> idle = idle_conversation();
  if (!idle) return Failure{idle.error()};
  Result<std::unique_ptr<ClientSession>> child =
      opened(client_, Letter::of(ClientMessage::kFork, link_->session, body_of(how)), how);
  if (!child) return child;
  (*child)->is_new_fork_ = true;
  const Status fed = (*child)->conversation_.feed_all_of(conversation_);
  return fed ? std::move(child) : Failure{fed.error()};
}

bool ClientSession::is_handed_over() const {
  const std::span tokens(conversation_.tokens());
  return record().point().tokens == tokens.size() &&
         std::ranges::equal(record().tokens().first(tokens.size()), tokens);
}

/// Brings the record's tokens up to date. Blocks until they stand there, which a supervisor that
/// comes after this one will see.
Status ClientSession::hand_over() {
  Connection& connection = client_->connection();
  const std::span tokens(conversation_.tokens());
  const size_t standing = conversation_.standing();
  const std::vector<Letter> letters =
      letters_to_feed(link_->session, standing, tokens.subspan(standing));
  const Clock::time_point until = Clock::now() + kHandOverTime;
  connection.begin_turn(*link_);
  size_t sent = 0;
  for (uint32_t sent_in = 0; !is_handed_over(); connection.wait(kSendAgain)) {
    const Connection::View view = connection.look(*link_);
    if (view.lost) return Failure{*view.lost};
    if (view.refused) return Failure{*view.refused};
    if (Clock::now() > until)
      return fail(Code::kInterrupted, "save: the supervisor does not listen");
    if (std::exchange(sent_in, view.generation) != view.generation) sent = 0;
    while (sent < letters.size() &&
           connection.tell(*link_, letters[sent]) == Connection::Sent::kYes) {
      ++sent;
    }
  }
  conversation_.stands();
  return ok();
}

Status ClientSession::save(const std::filesystem::path& path) {
  const Result<Conversation*> idle = idle_conversation();
  if (!idle) return Failure{idle.error()};
  if (Status handed = hand_over(); !handed) return handed;
  Result<wire::Message> answer = client_->connection().ask(
      {.type = ClientMessage::kSave, .session = link_->session}, ClientMessage::kSaved);
  if (!answer) return Failure{answer.error()};
  if (answer->descriptors.size() != 1) {
    return fail(Code::kCorrupt, "save: the supervisor's answer is none");
  }
  const Result<wire::SavedHeader> written =
      write_session_file(path, std::move(answer->descriptors[0]));
  return written ? ok() : Failure{written.error()};
}

}  // namespace ovenbird::client
