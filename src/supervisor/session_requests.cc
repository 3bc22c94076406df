// What each message of a client does.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/limits.h"
#include "supervisor/saved_rows.h"
#include "supervisor/session_service.h"
#include "wire/fixed_text.h"

namespace ovenbird {
namespace {

using wire::ClientMessage;

wire::MessageHeader answer_to(const wire::MessageHeader& request, ClientMessage type,
                              uint64_t session = 0) {
  return {.type = static_cast<uint32_t>(type), .request = request.request, .session = session};
}

/// Numbers out of a message's tail, in order. Errors: kCorrupt (the tail ends before them).
template <typename Number>
Result<std::vector<Number>> take(std::span<const std::byte>& tail, size_t count) {
  const size_t bytes = count * sizeof(Number);
  if (count > wire::kMessageBytesMax || tail.size() < bytes) {
    return fail(Code::kCorrupt, "message: its tail is shorter than it says");
  }
  std::vector<Number> numbers(count);
  if (bytes > 0) std::memcpy(numbers.data(), tail.data(), bytes);
  tail = tail.subspan(bytes);
  return numbers;
}

Status check_ids(std::span<const int32_t> ids, uint32_t vocabulary) {
  const auto wrong = std::find_if(ids.begin(), ids.end(), [&](int32_t id) {
    return id < 0 || static_cast<uint32_t>(id) >= vocabulary;
  });
  if (wrong == ids.end()) return ok();
  return fail(Code::kInvalidArgument, "feed: token id " + std::to_string(*wrong) +
                                          "; the vocabulary has ids 0 to " +
                                          std::to_string(vocabulary - 1));
}

Status check_counts(const wire::AskTurn& ask, const wire::Record::Shape& shape) {
  const auto check = [](const char* what, uint32_t count, uint32_t most) -> Status {
    if (count <= most) return ok();
    return fail(Code::kInvalidArgument, std::string("turn: ") + std::to_string(count) + " " + what +
                                            "; there may be " + std::to_string(most));
  };
  if (Status valid = check("end ids", ask.end_ids, wire::kEndIdsMax); !valid) return valid;
  if (Status valid = check("biases", ask.biases, wire::kBiasesMax); !valid) return valid;
  // An answer's steps give the logits of one token.
  const uint32_t rows_max = ask.answer_tokens_max > 0 ? 1 : wire::kClientRowsMax;
  return check("rows of logits", ask.logit_rows, std::min(rows_max, shape.logit_rows));
}

/// Makes the conversation its first `keep` tokens and then `tokens`.
Status replace_tokens(const wire::Record& record, uint32_t keep, std::span<const int32_t> tokens) {
  const wire::Point point = record.point();
  if (keep > point.tokens) {
    return fail(
        Code::kInvalidArgument,
        "feed: " + std::to_string(keep) + " tokens are to stay of " + std::to_string(point.tokens));
  }
  if (tokens.size() > record.shape().tokens_max - keep) {
    return fail(Code::kInvalidArgument,
                "feed: the conversation would have " + std::to_string(keep + tokens.size()) +
                    " tokens; it was opened for " + std::to_string(record.shape().tokens_max));
  }
  if (Status valid = check_ids(tokens, record.shape().vocabulary); !valid) return valid;
  // First what will no longer be true: whoever dies in between leaves a shorter conversation.
  const uint32_t computed = std::min(point.computed, keep);
  record.set_point({.tokens = keep, .computed = computed});
  // A worker that looks for a prompt's beginning in other sessions may be reading these tokens. It
  // asks for the point once more behind them, and must not find the old one.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  std::copy(tokens.begin(), tokens.end(), record.tokens().begin() + keep);
  record.set_point({.tokens = keep + static_cast<uint32_t>(tokens.size()), .computed = computed});
  return ok();
}

}  // namespace

Status SessionService::on_message(uint64_t client, wire::Message message) {
  Request request{.client = client, .message = std::move(message)};
  switch (static_cast<ClientMessage>(request.message.header.type)) {
    case ClientMessage::kHello:
      return hello(request);
    case ClientMessage::kOpen:
      return open(request);
    case ClientMessage::kClaim:
      return claim(request);
    case ClientMessage::kFeed:
      return feed(request);
    case ClientMessage::kTurn:
      return turn(request);
    case ClientMessage::kCancel:
      return cancel(request);
    case ClientMessage::kClose:
      return close(request);
    case ClientMessage::kFork:
      return fork(request);
    case ClientMessage::kSave:
      return save(request);
    case ClientMessage::kLoad:
      return load(request);
    case ClientMessage::kStatistics:
      return statistics(request);
    default:
      return fail(Code::kCorrupt,
                  "message: there is no type " + std::to_string(request.message.header.type));
  }
}

Status SessionService::hello(Request& request) {
  const Result<wire::Hello> body = request.message.body<wire::Hello>();
  if (!body) return Failure{body.error()};
  if (body->version != wire::kWireVersion) {
    return fail(Code::kUnsupported, "connect: the client speaks version " +
                                        std::to_string(body->version) + " and the supervisor " +
                                        std::to_string(wire::kWireVersion) +
                                        "; let both be of one release");
  }
  wire::Welcome welcome{.vocabulary = model_.vocabulary,
                        .context = model_.context,
                        .slots = options_.slots,
                        .logit_rows = model_.logit_rows,
                        .tokens_max = limits::kSessionTokensMax,
                        .process = static_cast<uint32_t>(::getpid()),
                        .model = store_.arena().shape().model};
  wire::put_text(model_.plan, welcome.plan);
  clients_->send(request.client, answer_to(request.message.header, ClientMessage::kWelcome),
                 welcome, std::as_bytes(std::span(model_.path)));
  return ok();
}

Result<ServedSession*> SessionService::session_of(const Request& request) {
  ServedSession* session = table_.find(request.message.header.session);
  // Another client's session is to this one as if it were not there.
  if (!session || !session->is_of(request.client)) {
    return fail(Code::kNotFound, "session " + std::to_string(request.message.header.session) +
                                     ": this client has none of that number");
  }
  return session;
}

Result<ServedSession*> SessionService::idle_session_of(const Request& request) {
  Result<ServedSession*> session = session_of(request);
  if (session && (*session)->record.is_turn_under_way()) {
    return fail(Code::kInvalidArgument, "session " + std::to_string((*session)->number) +
                                            ": a turn is under way; wait for its end or cancel it");
  }
  return session;
}

void SessionService::answer_opened(const Request& request, const ServedSession& session) {
  const Result<FileDescriptor> readable = session.memory.read_only_descriptor();
  if (!readable) {
    clients_->refuse(request.client, request.message.header, readable.error());
    return;
  }
  std::vector<int> descriptors{readable->get()};
  if (session.client_notice) descriptors.push_back(session.client_notice.descriptor());
  clients_->send(request.client,
                 answer_to(request.message.header, ClientMessage::kOpened, session.number),
                 wire::Opened{.session = session.number,
                              .key = session.key,
                              .record_bytes = session.memory.bytes().size()},
                 {}, descriptors);
}

Status SessionService::open(Request& request) {
  const Result<wire::Open> body = request.message.body<wire::Open>();
  if (!body) return Failure{body.error()};
  if (Status may = check_one_more(request.client); !may) return may;
  const Result<ServedSession*> session = table_.open(*body, request.client);
  if (!session) return Failure{session.error()};
  answer_opened(request, **session);
  return ok();
}

Status SessionService::claim(Request& request) {
  const Result<wire::Claim> body = request.message.body<wire::Claim>();
  if (!body) return Failure{body.error()};
  ServedSession* session = table_.find(request.message.header.session);
  if (!session || session->is_closed() || session->key != body->key) {
    return fail(Code::kNotFound, "claim session " + std::to_string(request.message.header.session) +
                                     ": there is none of that number and key any more");
  }
  if (session->client != request.client) {
    if (Status may = check_one_more(request.client); !may) return may;
  }
  session->client = request.client;
  answer_opened(request, *session);
  return ok();
}

Status SessionService::feed(Request& request) {
  const Result<wire::Feed> body = request.message.body<wire::Feed>();
  if (!body) return Failure{body.error()};
  const Result<ServedSession*> session = idle_session_of(request);
  if (!session) return Failure{session.error()};
  std::span<const std::byte> tail = request.message.tail<wire::Feed>();
  const auto tokens = take<int32_t>(tail, body->tokens);
  if (!tokens) return Failure{tokens.error()};
  return replace_tokens((*session)->record, body->keep, *tokens);
}

Status SessionService::turn(Request& request) {
  const Result<wire::AskTurn> body = request.message.body<wire::AskTurn>();
  if (!body) return Failure{body.error()};
  const Result<ServedSession*> session = session_of(request);
  if (!session) return Failure{session.error()};
  const uint32_t asked =
      (*session)->record.header().orders.turn_asked.load(std::memory_order_relaxed);
  if (body->number == asked) return ok();  // a client that did not know whether we had heard
  if (body->number != asked + 1) {
    return fail(Code::kInvalidArgument, "turn " + std::to_string(body->number) + ": the next is " +
                                            std::to_string(asked + 1));
  }
  const Result<ServedSession*> idle = idle_session_of(request);
  if (!idle) return Failure{idle.error()};
  return begin_turn(**idle, *body, request.message.tail<wire::AskTurn>());
}

Status SessionService::begin_turn(ServedSession& session, const wire::AskTurn& ask,
                                  std::span<const std::byte> tail) {
  const auto end_ids = take<int32_t>(tail, ask.end_ids);
  if (!end_ids) return Failure{end_ids.error()};
  const auto biases = take<wire::LogitBias>(tail, ask.biases);
  if (!biases) return Failure{biases.error()};
  const auto tokens = take<int32_t>(tail, ask.tokens);
  if (!tokens) return Failure{tokens.error()};
  if (Status valid = check_counts(ask, session.record.shape()); !valid) return valid;
  if (ask.keep == 0 && tokens->empty()) {
    return fail(Code::kInvalidArgument, "turn: the conversation is empty; feed it tokens first");
  }
  if (Status fed = replace_tokens(session.record, ask.keep, *tokens); !fed) return fed;
  wire::RecordHeader& header = session.record.header();
  wire::Turn& turn = header.turn;
  turn.prompt_tokens = session.record.point().tokens;
  turn.answer_tokens_max = ask.answer_tokens_max;
  turn.logit_rows = ask.logit_rows;
  turn.flags = ask.flags;
  turn.sampling = ask.sampling;
  turn.end_id_count = ask.end_ids;
  turn.bias_count = ask.biases;
  std::copy(end_ids->begin(), end_ids->end(), turn.end_ids.begin());
  std::copy(biases->begin(), biases->end(), turn.biases.begin());
  header.result = {};
  header.orders.turn_asked.store(ask.number, std::memory_order_release);
  begin_stepping(session);
  return ok();
}

Status SessionService::cancel(Request& request) {
  const Result<wire::Cancel> body = request.message.body<wire::Cancel>();
  if (!body) return Failure{body.error()};
  const Result<ServedSession*> session = session_of(request);
  if (!session) return Failure{session.error()};
  (*session)->record.header().orders.turn_cancel.store(body->turn, std::memory_order_release);
  const bool waits = (*session)->record.is_turn_under_way() && !(*session)->is_told;
  const uint32_t asked =
      (*session)->record.header().orders.turn_asked.load(std::memory_order_relaxed);
  if (waits && asked == body->turn) {
    end_turn(**session, wire::Finish::kCancelled);
  }
  return ok();
}

Status SessionService::close(Request& request) {
  const Result<ServedSession*> session = session_of(request);
  if (!session) return Failure{session.error()};
  close_session(**session);
  return ok();
}

/// A session that begins with all that this one has said. Its rows are copied by the worker.
Status SessionService::fork(Request& request) {
  const Result<wire::Open> body = request.message.body<wire::Open>();
  if (!body) return Failure{body.error()};
  const Result<ServedSession*> parent = idle_session_of(request);
  if (!parent) return Failure{parent.error()};
  if (Status may = check_one_more(request.client); !may) return may;
  const wire::Record& from = (*parent)->record;
  wire::Open how = *body;
  if (how.tokens_max == 0) how.tokens_max = from.shape().tokens_max;
  const Result<ServedSession*> child = table_.open(how, request.client);
  if (!child) return Failure{child.error()};
  const auto tokens = from.tokens().first(from.point().tokens);
  if (Status copied = replace_tokens((*child)->record, 0, tokens); !copied) {
    close_session(**child);
    return copied;
  }
  answer_opened(request, **child);
  return ok();
}

Status SessionService::save(Request& request) {
  const Result<ServedSession*> session = idle_session_of(request);
  if (!session) return Failure{session.error()};
  const CacheFacts facts{.kv_heads = model_.kv_heads, .row_bytes = model_.row_bytes};
  Result<FileDescriptor> saved =
      save_session((*session)->record, store_.arena(), slots_.slot_of((*session)->number), facts);
  if (!saved) return Failure{saved.error()};
  const int descriptor = saved->get();
  clients_->send(request.client,
                 answer_to(request.message.header, ClientMessage::kSaved, (*session)->number),
                 wire::Saved{.bytes = size_of(*saved)}, {}, std::span(&descriptor, 1));
  return ok();
}

Status SessionService::load(Request& request) {
  const Result<wire::Open> body = request.message.body<wire::Open>();
  if (!body) return Failure{body.error()};
  if (request.message.descriptors.empty()) {
    return fail(Code::kInvalidArgument, "load session: its bytes come as a descriptor");
  }
  if (Status may = check_one_more(request.client); !may) return may;
  const CacheFacts facts{.kv_heads = model_.kv_heads, .row_bytes = model_.row_bytes};
  const Result<SavedSession> saved =
      SavedSession::open(std::move(request.message.descriptors[0]), store_.arena(), facts);
  if (!saved) {
    // Also if it is kCorrupt: a file that is damaged is not the fault of who tries it.
    clients_->refuse(request.client, request.message.header, saved.error());
    return ok();
  }
  if (Status valid = check_ids(saved->tokens(), model_.vocabulary); !valid) return valid;
  wire::Open how = *body;
  if (how.tokens_max == 0) {
    how.tokens_max =
        std::max(options_.session_tokens, static_cast<uint32_t>(saved->tokens().size()));
  }
  const Result<ServedSession*> session = table_.open(how, request.client);
  if (!session) return Failure{session.error()};
  const wire::Record& record = (*session)->record;
  if (Status fed = replace_tokens(record, 0, saved->tokens()); !fed) {
    close_session(**session);
    return fed;
  }
  if (const auto slot = saved->has_rows() ? slots_.take_free((*session)->number) : std::nullopt) {
    if (saved->copy_rows_into(*slot)) {
      written_slots_[*slot] = true;
      record.set_point({.tokens = record.point().tokens, .computed = saved->computed()});
    }
    table_.note_slot(**session, *slot);
  }
  answer_opened(request, **session);
  return ok();
}

Status SessionService::statistics(Request& request) {
  const WorkerPool::Counts counts = workers_->counts();
  const auto uptime = std::chrono::steady_clock::now() - began_;
  const auto pid = [](const WorkerProcess* worker) {
    return worker ? static_cast<uint32_t>(worker->pid()) : 0;
  };
  wire::Statistics statistics{
      .uptime_ns = static_cast<uint64_t>(std::chrono::nanoseconds(uptime).count()),
      .said_tokens = counts.said_tokens,
      .steps = counts.steps,
      .step_ns = counts.step_ns,
      .turns = turns_,
      .restarts = counts.restarts,
      .failovers = counts.failovers,
      .refused_turns = refused_turns_,
      .worker = pid(workers_->active()),
      .standby = pid(workers_->standby()),
      .clients = static_cast<uint32_t>(clients_->count()),
      .sessions = static_cast<uint32_t>(table_.open_sessions()),
      .slots = options_.slots,
      .slots_used = slots_.used(),
      .waiting = static_cast<uint32_t>(slots_.waiting()),
      .is_ready = workers_->active() ? 1u : 0u};
  if (workers_->active()) wire::put_text(workers_->active()->device(), statistics.device);
  wire::put_text(workers_->active_recipe(), statistics.recipe);
  wire::put_text(exhausted_ ? exhausted_->message : counts.last_failure, statistics.last_failure);
  clients_->send(request.client, answer_to(request.message.header, ClientMessage::kStatisticsAre),
                 statistics);
  return ok();
}

}  // namespace ovenbird
