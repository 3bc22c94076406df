// A session as a program has it: its conversation, and its turns one after the other.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "client/answer_stream.h"
#include "client/conversation.h"
#include "client/model_client.h"
#include "client/session_link.h"
#include "client/turn_letters.h"
#include "ovenbird/result.hpp"
#include "wire/client_protocol.h"

namespace ovenbird::client {

/// How a session is opened.
struct OpenHow {
  bool logits = false;
  bool pollable = false;
  uint32_t tokens_max = 0;  // 0: the supervisor's default
  std::chrono::microseconds spin{0};
};

/// How an answer is made.
struct AnswerHow {
  wire::AskTurn ask;  // sampling, flags and answer_tokens_max
  std::vector<wire::LogitBias> biases;
  std::vector<std::string> stops;
  bool ignore_end = false;
};

/// One thread at a time, but for cancel().
class ClientSession {
 public:
  enum class End { kNone, kEnd, kLength, kCancelled, kFull, kFailed, kStop };

  /// Errors: those of Connection::ask() and take().
  static Result<std::unique_ptr<ClientSession>> open(std::shared_ptr<ModelClient> client,
                                                     const OpenHow& how);
  /// Errors: also those of read_session_file().
  static Result<std::unique_ptr<ClientSession>> load(std::shared_ptr<ModelClient> client,
                                                     const std::filesystem::path& path,
                                                     const OpenHow& how);
  ~ClientSession();
  ClientSession(const ClientSession&) = delete;
  ClientSession& operator=(const ClientSession&) = delete;

  /// For changes between turns. Errors: kInvalidArgument (a turn is under way).
  Result<Conversation*> idle_conversation();
  const Conversation& conversation() const { return conversation_; }
  ModelClient& client() const { return *client_; }
  const wire::Record& record() const { return *link_->record; }

  /// Begins an answer. Errors: kInvalidArgument (a turn is under way, the conversation is empty),
  /// those of AnswerStream::create().
  Status generate(const AnswerHow& how);

  /// Computes the conversation. Blocks. Errors: as generate(); why the turn failed; kInterrupted
  /// (it was cancelled).
  Status compute(uint32_t logit_rows);

  /// What is new of the answer.
  struct Piece {
    AnswerStream::Taken what;
    End end = End::kNone;
    size_t stop = 0;
  };
  /// Blocks until something is new, at most so long. Errors: why the turn failed, once everything
  /// that was said has been given.
  Result<Piece> next(std::chrono::milliseconds time);

  /// Any thread.
  void cancel();

  bool has_turn() const { return turn_number_ != 0 && end_ == End::kNone; }
  bool had_turn() const { return turn_number_ != 0; }

  /// Of the last turn that is over.
  struct Counts {
    wire::TurnResult result;
    uint64_t prompt_tokens = 0;
    uint64_t said_tokens = 0;
    double first_token_ms = 0;
    double tokens_per_second = 0;
  };
  Counts counts() const;

  int descriptor() const { return link_->events ? link_->events.get() : -1; }

  /// Errors: kInvalidArgument (a turn is under way), those of open().
  Result<std::unique_ptr<ClientSession>> fork(const OpenHow& how);
  /// Errors: kInvalidArgument, what the supervisor refused, kInterrupted,
  /// those of Connection::ask() and write_session_file().
  Status save(const std::filesystem::path& path);

 private:
  ClientSession(std::shared_ptr<ModelClient> client, std::shared_ptr<SessionLink> link,
                std::chrono::microseconds spin);
  static Result<std::unique_ptr<ClientSession>> opened(std::shared_ptr<ModelClient> client,
                                                       const Letter& letter, const OpenHow& how);

  Status begin(const TurnToAsk& turn);
  bool send_letters(uint32_t generation);
  bool send_cancel();
  void advance();
  void take_said(uint32_t tokens);
  void end_turn(End end, std::optional<Error> error = std::nullopt);
  void sleep(uint32_t wake, std::chrono::steady_clock::time_point until);
  bool is_handed_over() const;
  Status hand_over();

  const std::shared_ptr<ModelClient> client_;
  const std::shared_ptr<SessionLink> link_;
  const std::chrono::microseconds spin_;
  Conversation conversation_;
  bool is_new_fork_ = false;  // its first turn copies what was computed for what it came from

  // Of the turn that was begun last; its number is 0 if there was none.
  std::atomic<uint32_t> turn_number_{0};
  std::atomic<bool> cancel_wanted_{false};
  bool cancel_sent_ = false;
  std::vector<Letter> letters_;
  size_t letters_sent_ = 0;
  uint32_t sent_in_ = 0;  // generation of the connection
  std::optional<AnswerStream> stream_;
  uint32_t seen_ = 0;  // tokens of the record
  uint64_t prompt_tokens_ = 0;
  uint64_t given_tokens_ = 0;
  End end_ = End::kNone;
  std::optional<Error> error_;
  wire::TurnResult result_{};
  Clock::time_point began_;
  Clock::time_point first_token_;
  Clock::time_point last_token_;
};

}  // namespace ovenbird::client
