// The client library in C++20, over ovenbird.h: handles that close themselves, Result<T> instead of
// status numbers, spans instead of pointers. All of it is compiled into the program that uses it.
// What may be called from which thread, and what blocks, stands in ovenbird.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ovenbird/client_options.hpp"
#include "ovenbird/ovenbird.h"
#include "ovenbird/result.hpp"

namespace ovenbird {
inline namespace client_v1 {

/// One conversation. One thread at a time, but for cancel().
class Session {
 public:
  explicit Session(ovenbird_session* owned) : handle_(owned) {}
  ovenbird_session* handle() const { return handle_.get(); }

  Status feed(std::string_view text, uint32_t flags = kTextPlain) {
    return detail::status_of(ovenbird_feed_text(handle(), text.data(), text.size(), flags));
  }
  Status feed(std::span<const int32_t> tokens) {
    return detail::status_of(ovenbird_feed(handle(), tokens.data(), tokens.size()));
  }
  Status rewind(size_t count) { return detail::status_of(ovenbird_rewind(handle(), count)); }
  Status set_conversation(std::span<const int32_t> tokens) {
    return detail::status_of(ovenbird_set_conversation(handle(), tokens.data(), tokens.size()));
  }
  Result<std::span<const int32_t>> tokens() const {
    const int32_t* first = nullptr;
    size_t count = 0;
    const Status got = detail::status_of(ovenbird_get_tokens(handle(), &first, &count));
    if (!got) return Failure{got.error()};
    return std::span(first, count);
  }

  Status generate(const GenerateOptions& options = {}) {
    for (const std::string& stop : options.stops) {
      if (stop.find('\0') != std::string::npos) {
        return fail(Code::kInvalidArgument, "generate: a stop string has a zero in it");
      }
    }
    if (options.tokens_max == 0u) {
      return fail(Code::kInvalidArgument, "generate: an answer of 0 tokens; see compute()");
    }
    std::vector<const char*> stops;
    const ovenbird_generate_options plain = detail::plain(options, stops);
    return detail::status_of(ovenbird_generate(handle(), &plain));
  }

  /// Blocks until something is new.
  Result<Piece> next() { return next_within(std::chrono::milliseconds(-1)); }
  Result<Piece> next_within(std::chrono::milliseconds time) {
    auto piece = detail::sized<ovenbird_piece>();
    return seen(ovenbird_next(handle(), static_cast<int32_t>(time.count()), &piece), piece);
  }
  Result<Piece> poll() {
    auto piece = detail::sized<ovenbird_piece>();
    return seen(ovenbird_poll(handle(), &piece), piece);
  }
  Status cancel() { return detail::status_of(ovenbird_cancel(handle())); }

  /// generate(), and next() to its end; `on_text(std::string_view)` is given text as it comes.
  template <typename OnText>
  Result<Answer> answer(const GenerateOptions& options, OnText&& on_text) {
    if (const Status begun = generate(options); !begun) return Failure{begun.error()};
    Answer answer;
    while (answer.finish == FinishReason::kNone) {
      const Result<Piece> piece = next();
      if (!piece) return Failure{piece.error()};
      answer.text += piece->text;
      answer.tokens.insert(answer.tokens.end(), piece->tokens.begin(), piece->tokens.end());
      answer.finish = piece->finish;
      if (!piece->text.empty()) on_text(piece->text);
    }
    const Result<ovenbird_answer> counts = last_answer();
    if (!counts) return Failure{counts.error()};
    answer.counts = *counts;
    return answer;
  }
  Result<Answer> answer(const GenerateOptions& options = {}) {
    return answer(options, [](std::string_view) {});
  }
  Result<ovenbird_answer> last_answer() const {
    auto counts = detail::sized<ovenbird_answer>();
    const Status got = detail::status_of(ovenbird_get_answer(handle(), &counts));
    if (!got) return Failure{got.error()};
    return counts;
  }

  Status compute(uint32_t logit_rows = 0) {
    return detail::status_of(ovenbird_compute(handle(), logit_rows));
  }
  Result<ovenbird_logits> logits() const {
    auto logits = detail::sized<ovenbird_logits>();
    const Status got = detail::status_of(ovenbird_get_logits(handle(), &logits));
    if (!got) return Failure{got.error()};
    return logits;
  }
  /// The logits of the newest token, [vocabulary], in shared memory; empty if there are none.
  Result<std::span<const float>> newest_logits() const {
    const Result<ovenbird_logits> all = logits();
    if (!all) return Failure{all.error()};
    if (all->rows == 0) return std::span<const float>();
    return std::span(all->numbers + size_t{all->rows - 1} * all->vocabulary, all->vocabulary);
  }
  Result<bool> are_valid(const ovenbird_logits& logits) const {
    uint32_t are_valid = 0;
    const Status got = detail::status_of(ovenbird_are_logits_valid(handle(), &logits, &are_valid));
    if (!got) return Failure{got.error()};
    return are_valid != 0;
  }

  Result<int> descriptor() const {
    int descriptor = -1;
    const Status got = detail::status_of(ovenbird_descriptor(handle(), &descriptor));
    if (!got) return Failure{got.error()};
    return descriptor;
  }
  Result<Session> fork(const SessionOptions& options = {}) {
    const ovenbird_session_options plain = detail::plain(options);
    ovenbird_session* made = nullptr;
    const Status forked = detail::status_of(ovenbird_fork(handle(), &plain, &made));
    if (!forked) return Failure{forked.error()};
    return Session(made);
  }
  Status save(const std::string& path) {
    return detail::status_of(ovenbird_save(handle(), path.c_str()));
  }

 private:
  static Result<Piece> seen(ovenbird_status status, const ovenbird_piece& piece) {
    if (const Status good = detail::status_of(status); !good) return Failure{good.error()};
    return Piece{.text = {piece.text, piece.text_bytes},
                 .tokens = {piece.tokens, piece.token_count},
                 .is_over = piece.is_over != 0,
                 .finish = static_cast<FinishReason>(piece.finish),
                 .stop = piece.stop};
  }

  std::unique_ptr<ovenbird_session, detail::SessionClosed> handle_;
};

/// One model. Any thread.
class Client {
 public:
  explicit Client(ovenbird_client* owned) : handle_(owned) {}
  ovenbird_client* handle() const { return handle_.get(); }

  static Result<Client> start(const std::string& bundle, const StartOptions& options = {}) {
    const ovenbird_start_options plain = detail::plain(options);
    ovenbird_client* made = nullptr;
    const ovenbird_status status = ovenbird_start(bundle.c_str(), &plain, &made);
    return owned(status, made);
  }
  /// An empty path: the default one.
  static Result<Client> connect(const std::string& socket = {}) {
    ovenbird_client* made = nullptr;
    const ovenbird_status status = ovenbird_connect(detail::or_null(socket), &made);
    return owned(status, made);
  }

  /// -1 ms: without end.
  Status wait_ready(std::chrono::milliseconds time = std::chrono::milliseconds(-1)) {
    return detail::status_of(ovenbird_wait_ready(handle(), static_cast<int32_t>(time.count())));
  }
  Result<ovenbird_facts> facts() const {
    auto facts = detail::sized<ovenbird_facts>();
    const Status got = detail::status_of(ovenbird_get_facts(handle(), &facts));
    if (!got) return Failure{got.error()};
    return facts;
  }
  Result<ovenbird_statistics> statistics() const {
    auto statistics = detail::sized<ovenbird_statistics>();
    const Status got = detail::status_of(ovenbird_get_statistics(handle(), &statistics));
    if (!got) return Failure{got.error()};
    return statistics;
  }

  Result<std::vector<int32_t>> tokenize(std::string_view text, uint32_t flags = kTextPlain) const {
    int32_t* tokens = nullptr;
    size_t count = 0;
    const Status done = detail::status_of(
        ovenbird_tokenize(handle(), text.data(), text.size(), flags, &tokens, &count));
    if (!done) return Failure{done.error()};
    return detail::taken(tokens, count);
  }
  Result<std::string> detokenize(std::span<const int32_t> tokens) const {
    char* text = nullptr;
    size_t bytes = 0;
    const Status done = detail::status_of(
        ovenbird_detokenize(handle(), tokens.data(), tokens.size(), &text, &bytes));
    if (!done) return Failure{done.error()};
    const std::unique_ptr<char, detail::Freed> owner(text);
    return std::string(text, bytes);
  }
  Result<std::vector<int32_t>> chat(std::span<const Message> messages,
                                    const ChatOptions& options = {}) const {
    std::vector<ovenbird_message> plain;
    for (const Message& message : messages) {
      plain.push_back({message.role.c_str(), message.content.c_str()});
    }
    auto chosen = detail::sized<ovenbird_chat_options>();
    chosen.no_generation_prompt = !options.add_generation_prompt;
    chosen.messages_json = detail::or_null(options.messages_json);
    chosen.tools_json = detail::or_null(options.tools_json);
    chosen.variables_json = detail::or_null(options.variables_json);
    int32_t* tokens = nullptr;
    size_t count = 0;
    const Status done = detail::status_of(
        ovenbird_chat(handle(), plain.data(), plain.size(), &chosen, &tokens, &count));
    if (!done) return Failure{done.error()};
    return detail::taken(tokens, count);
  }

  Result<Session> open(const SessionOptions& options = {}) {
    const ovenbird_session_options plain = detail::plain(options);
    ovenbird_session* made = nullptr;
    const Status opened = detail::status_of(ovenbird_open(handle(), &plain, &made));
    if (!opened) return Failure{opened.error()};
    return Session(made);
  }
  Result<Session> load(const std::string& path, const SessionOptions& options = {}) {
    const ovenbird_session_options plain = detail::plain(options);
    ovenbird_session* made = nullptr;
    const Status loaded = detail::status_of(ovenbird_load(handle(), path.c_str(), &plain, &made));
    if (!loaded) return Failure{loaded.error()};
    return Session(made);
  }

 private:
  static Result<Client> owned(ovenbird_status status, ovenbird_client* made) {
    if (const Status good = detail::status_of(status); !good) return Failure{good.error()};
    return Client(made);
  }

  std::unique_ptr<ovenbird_client, detail::ClientClosed> handle_;
};

}  // namespace client_v1
}  // namespace ovenbird
