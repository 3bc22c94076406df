// The C interface: sessions.
#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include "base/limits.h"
#include "client/c_handles.h"
#include "client/c_structs.h"

namespace ovenbird::client {
namespace {

using std::chrono::milliseconds;

constexpr uint32_t kSpinUsMax = 10'000;

Result<OpenHow> read_how(const ovenbird_session_options* options) {
  const Result<ovenbird_session_options> known = read_struct(options);
  if (!known) return Failure{known.error()};
  if (known->spin_us > kSpinUsMax) {
    return fail(Code::kInvalidArgument, "open: spin_us may be 0 to " + std::to_string(kSpinUsMax));
  }
  return OpenHow{.logits = known->logits != 0,
                 .pollable = known->pollable != 0,
                 .tokens_max = known->tokens_max,
                 .spin = std::chrono::microseconds(known->spin_us)};
}

Status hand_out(Result<std::unique_ptr<ClientSession>> made, ovenbird_session** place) {
  if (!made) return Failure{made.error()};
  *place = new ovenbird_session{.session = std::move(*made)};
  return ok();
}

/// Errors: kInvalidArgument (an option out of range, naming it).
Result<AnswerHow> read_answer(const ovenbird_generate_options* options,
                              const ClientSession& session) {
  const Result<ovenbird_generate_options> known = read_struct(options);
  if (!known) return Failure{known.error()};
  SamplingOptions sampling{
      .temperature = known->temperature,
      .top_k = known->top_k,
      .top_p = known->top_p == 0 ? 1 : known->top_p,
      .min_p = known->min_p,
      .repetition_penalty = known->repetition_penalty == 0 ? 1 : known->repetition_penalty,
      .presence_penalty = known->presence_penalty,
      .frequency_penalty = known->frequency_penalty,
      .seed = known->seed};
  if (known->bias_count > limits::kLogitBiasEntriesMax ||
      known->stop_count > limits::kStopStringsMax || (known->bias_count > 0 && !known->biases) ||
      (known->stop_count > 0 && !known->stops)) {
    return fail(Code::kInvalidArgument, "generate: too many biases or stops, or a list is null");
  }
  AnswerHow how{.ignore_end = known->ignore_end != 0};
  for (size_t i = 0; i < known->bias_count; ++i) {
    const ovenbird_logit_bias& bias = known->biases[i];
    if (!sampling.logit_bias.emplace(bias.token, bias.value).second) {
      return fail(Code::kInvalidArgument,
                  "generate: token " + std::to_string(bias.token) + " has two biases");
    }
    how.biases.push_back({bias.token, bias.value});
  }
  const Status valid = sampling.validate(session.record().shape().vocabulary);
  if (!valid) return fail_in("generate", valid.error());
  for (size_t i = 0; i < known->stop_count; ++i) {
    if (!known->stops[i]) return null_argument();
    how.stops.emplace_back(known->stops[i]);
  }
  how.ask.sampling = wire::numbers_of(sampling);
  how.ask.flags =
      (known->drafts ? wire::kDrafts : 0u) | (known->share_prefix ? wire::kSharePrefix : 0u);
  how.ask.answer_tokens_max =
      known->tokens_max ? known->tokens_max : std::numeric_limits<uint32_t>::max();
  return how;
}

Status give(ovenbird_session& handle, milliseconds time, ovenbird_piece* place) {
  // Before anything is taken out of the session that could not be given.
  if (Status may_be_written = check_place(place); !may_be_written) return may_be_written;
  Result<ClientSession::Piece> next = handle.session->next(time);
  handle.piece = next ? std::move(*next) : ClientSession::Piece{.end = ClientSession::End::kFailed};
  const ClientSession::Piece& piece = handle.piece;
  ovenbird_piece known{};
  known.is_over = piece.end != ClientSession::End::kNone ? 1 : 0;
  known.finish = static_cast<uint32_t>(piece.end);
  known.stop = static_cast<uint32_t>(piece.stop);
  known.text = piece.what.text.c_str();
  known.text_bytes = piece.what.text.size();
  known.tokens = piece.what.tokens.data();
  known.token_count = piece.what.tokens.size();
  if (Status written = write_struct(known, place); !written) return written;
  return next ? ok() : Failure{next.error()};
}

Status get_logits(const ClientSession& session, ovenbird_logits* place) {
  const wire::Record& record = session.record();
  if (record.logits().empty()) {
    return fail(Code::kUnsupported, "logits: the session was opened without them");
  }
  const wire::LogitsPlace there = record.logits_place();
  ovenbird_logits known{};
  known.rows = there.rows;
  known.vocabulary = record.shape().vocabulary;
  known.step = there.step;
  known.numbers = record.logits().data() + size_t{there.first_row} * known.vocabulary;
  return write_struct(known, place);
}

Status get_answer(const ClientSession& session, ovenbird_answer* place) {
  if (!session.had_turn() || session.has_turn()) {
    return fail(Code::kInvalidArgument, "answer: a turn is under way, or there was none");
  }
  const ClientSession::Counts counts = session.counts();
  ovenbird_answer known{};
  known.said_tokens = static_cast<uint32_t>(counts.said_tokens);
  known.prompt_tokens = counts.prompt_tokens;
  known.reused_tokens = counts.result.reused_tokens;
  known.prefill_steps = counts.result.prefill_steps;
  known.decode_steps = counts.result.decode_steps;
  known.drafted_tokens = counts.result.drafted_tokens;
  known.accepted_tokens = counts.result.accepted_tokens;
  known.near_ties = counts.result.near_ties;
  known.first_token_ms = counts.first_token_ms;
  known.tokens_per_second = counts.tokens_per_second;
  return write_struct(known, place);
}

/// Changes the conversation of a session between two turns.
template <typename Change>
ovenbird_status changed(ovenbird_session* session, Change change) {
  return guarded([&]() -> Status {
    if (!session) return null_argument();
    const Result<Conversation*> conversation = session->session->idle_conversation();
    if (!conversation) return Failure{conversation.error()};
    return change(**conversation);
  });
}

}  // namespace
}  // namespace ovenbird::client

using namespace ovenbird::client;  // all that follows is the border itself
using ovenbird::Code;
using ovenbird::fail;
using ovenbird::Failure;
using ovenbird::ok;
using ovenbird::Result;
using ovenbird::Status;

ovenbird_status ovenbird_open(ovenbird_client* client, const ovenbird_session_options* options,
                              ovenbird_session** session) {
  return guarded([&]() -> Status {
    if (!client || !session) return null_argument();
    const Result<OpenHow> how = read_how(options);
    if (!how) return Failure{how.error()};
    return hand_out(ClientSession::open(client->model, *how), session);
  });
}

void ovenbird_session_close(ovenbird_session* session) { delete session; }

ovenbird_status ovenbird_feed_text(ovenbird_session* session, const char* text, size_t text_bytes,
                                   uint32_t flags) {
  return changed(session, [&](Conversation& conversation) -> Status {
    const Result<std::vector<int32_t>> ids =
        tokens_of(session->session->client(), text, text_bytes, flags);
    if (!ids) return Failure{ids.error()};
    return conversation.feed_text(*ids);
  });
}

ovenbird_status ovenbird_feed(ovenbird_session* session, const int32_t* tokens, size_t count) {
  return changed(session, [&](Conversation& conversation) -> Status {
    if (!tokens && count > 0) return null_argument();
    return conversation.feed({tokens, count});
  });
}

ovenbird_status ovenbird_rewind(ovenbird_session* session, size_t count) {
  return changed(session, [&](Conversation& conversation) { return conversation.rewind(count); });
}

ovenbird_status ovenbird_set_conversation(ovenbird_session* session, const int32_t* tokens,
                                          size_t count) {
  return changed(session, [&](Conversation& conversation) -> Status {
    if (!tokens && count > 0) return null_argument();
    return conversation.set({tokens, count});
  });
}

ovenbird_status ovenbird_get_tokens(ovenbird_session* session, const int32_t** tokens,
                                    size_t* count) {
  return guarded([&]() -> Status {
    if (!session || !tokens || !count) return null_argument();
    const std::vector<int32_t>& all = session->session->conversation().tokens();
    *tokens = all.data();
    *count = all.size();
    return ok();
  });
}

ovenbird_status ovenbird_generate(ovenbird_session* session,
                                  const ovenbird_generate_options* options) {
  return guarded([&]() -> Status {
    if (!session) return null_argument();
    const Result<AnswerHow> how = read_answer(options, *session->session);
    if (!how) return Failure{how.error()};
    return session->session->generate(*how);
  });
}

ovenbird_status ovenbird_next(ovenbird_session* session, int32_t timeout_ms,
                              ovenbird_piece* piece) {
  return guarded([&]() -> Status {
    return session ? give(*session, milliseconds(timeout_ms), piece) : null_argument();
  });
}

ovenbird_status ovenbird_poll(ovenbird_session* session, ovenbird_piece* piece) {
  return ovenbird_next(session, 0, piece);
}

ovenbird_status ovenbird_cancel(ovenbird_session* session) {
  return guarded([&]() -> Status {
    if (!session) return null_argument();
    session->session->cancel();
    return ok();
  });
}

ovenbird_status ovenbird_descriptor(ovenbird_session* session, int* descriptor) {
  return guarded([&]() -> Status {
    if (!session || !descriptor) return null_argument();
    if (session->session->descriptor() < 0) {
      return fail(Code::kUnsupported, "descriptor: the session was not opened as pollable");
    }
    *descriptor = session->session->descriptor();
    return ok();
  });
}

ovenbird_status ovenbird_compute(ovenbird_session* session, uint32_t logit_rows) {
  return guarded([&]() -> Status {
    if (!session) return null_argument();
    if (logit_rows > 0 && session->session->record().logits().empty()) {
      return fail(Code::kUnsupported, "compute: the session was opened without logits");
    }
    return session->session->compute(logit_rows);
  });
}

ovenbird_status ovenbird_get_logits(ovenbird_session* session, ovenbird_logits* logits) {
  return guarded([&]() -> Status {
    return session ? get_logits(*session->session, logits) : null_argument();
  });
}

ovenbird_status ovenbird_are_logits_valid(ovenbird_session* session, const ovenbird_logits* logits,
                                          uint32_t* are_valid) {
  return guarded([&]() -> Status {
    if (!session || !logits || !are_valid) return null_argument();
    const auto there = session->session->record().logits_place();
    *are_valid = there.rows > 0 && there.step == logits->step ? 1 : 0;
    return ok();
  });
}

ovenbird_status ovenbird_get_answer(ovenbird_session* session, ovenbird_answer* answer) {
  return guarded([&]() -> Status {
    return session ? get_answer(*session->session, answer) : null_argument();
  });
}

ovenbird_status ovenbird_fork(ovenbird_session* session, const ovenbird_session_options* options,
                              ovenbird_session** fork) {
  return guarded([&]() -> Status {
    if (!session || !fork) return null_argument();
    const Result<OpenHow> how = read_how(options);
    if (!how) return Failure{how.error()};
    return hand_out(session->session->fork(*how), fork);
  });
}

ovenbird_status ovenbird_save(ovenbird_session* session, const char* path) {
  return guarded(
      [&]() -> Status { return session && path ? session->session->save(path) : null_argument(); });
}

ovenbird_status ovenbird_load(ovenbird_client* client, const char* path,
                              const ovenbird_session_options* options, ovenbird_session** session) {
  return guarded([&]() -> Status {
    if (!client || !path || !session) return null_argument();
    const Result<OpenHow> how = read_how(options);
    if (!how) return Failure{how.error()};
    return hand_out(ClientSession::load(client->model, path, *how), session);
  });
}
