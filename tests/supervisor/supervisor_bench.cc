// A bundle without a model, orders for fake workers, a client by hand.
#include "supervisor/supervisor_bench.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "base/futex.h"
#include "supervisor/arena_names.h"
#include "wire/arena.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

constexpr auto kLong = std::chrono::seconds(120);  // nothing is waited for longer

template <typename T>
T taken(Result<T> result) {
  if (!result) FAIL(result.error().message);
  return std::move(*result);
}

/// Waits while `is_not_yet` holds; looks again when the record says that something has changed.
template <typename Condition>
void wait_while(const wire::Record& record, Condition is_not_yet) {
  const auto begin = std::chrono::steady_clock::now();
  const std::atomic<uint32_t>& wake = record.header().progress.wake;
  while (true) {
    const uint32_t seen = wake.load(std::memory_order_acquire);
    if (!is_not_yet()) return;
    if (std::chrono::steady_clock::now() - begin > kLong) FAIL("nothing happens any more");
    futex_wait(wake, seen, kLong);
  }
}

}  // namespace

FakeBundle::FakeBundle() {
  const Status written = write_fake_bundle(path(), kRows);
  if (!written) FAIL(written.error().message);
}

FakeBundle::~FakeBundle() {
  for (const std::string& name : shared_names()) static_cast<void>(SharedMemory::remove(name));
}

std::vector<std::string> FakeBundle::shared_names() const {
  const ObjectNames objects = list_objects();
  std::vector<std::string> names;
  for (const std::string& digits : objects.arenas) {
    const Result<SharedMemory> memory = SharedMemory::open(arena_name(digits), Access::kRead);
    if (!memory) continue;
    const Result<wire::Arena> arena = wire::Arena::open(memory->bytes());
    if (!arena || !arena->shape().lock_path.starts_with(directory_.path().string())) continue;
    digits_.insert(digits);
    names.push_back(arena_name(digits));
  }
  for (const std::string& record : objects.records) {
    if (digits_.count(digits_of_record(record)) != 0) names.push_back("/" + record);
  }
  return names;
}

SupervisorOptions fake_options(const FakeBundle& bundle) {
  SupervisorOptions options{.bundle = bundle.path(), .engine = OVENBIRD_FAKE_WORKER};
  options.device = "CPU";
  options.session_tokens = 1024;
  options.deadlines.step_floor = std::chrono::milliseconds(60'000);
  return options;
}

Ids RawSession::tokens() const {
  const auto held = record.tokens().first(record.point().tokens);
  return {held.begin(), held.end()};
}

wire::Turn Ask::turn() const {
  wire::Turn turn{.answer_tokens_max = answer,
                  .logit_rows = logit_rows,
                  .flags = flags,
                  .end_id_count = static_cast<uint32_t>(end_ids.size()),
                  .bias_count = static_cast<uint32_t>(biases.size()),
                  .sampling = sampling};
  std::copy(end_ids.begin(), end_ids.end(), turn.end_ids.begin());
  std::copy(biases.begin(), biases.end(), turn.biases.begin());
  return turn;
}

wire::Message RawClient::next() {
  Result<std::optional<wire::Message>> message =
      socket_.receive_within(static_cast<int>(std::chrono::milliseconds(kLong).count()));
  REQUIRE(message);
  REQUIRE(*message);
  return std::move(**message);
}

wire::Message RawClient::ask(wire::ClientMessage type, uint64_t session) {
  const uint32_t request = ++requests_;
  REQUIRE(
      socket_.send({.type = static_cast<uint32_t>(type), .request = request, .session = session},
                   {}, {}, {}, wire::MessageSocket::Wait::kForRoom));
  return answer_to(request);
}

wire::Message RawClient::answer_to(uint32_t request) {
  while (true) {
    wire::Message message = next();
    if (message.header.request == request) return message;
  }
}

Error RawClient::refusal_of(const wire::Message& message) {
  REQUIRE(message.header.type == static_cast<uint32_t>(wire::ClientMessage::kRefused));
  const auto text = message.tail<wire::Refused>();
  return {static_cast<Code>(message.body<wire::Refused>()->code),
          std::string(reinterpret_cast<const char*>(text.data()), text.size())};
}

RawSession RawClient::opened(wire::Message message) {
  if (message.header.type == static_cast<uint32_t>(wire::ClientMessage::kRefused)) {
    FAIL(refusal_of(message).message);
  }
  REQUIRE(message.header.type == static_cast<uint32_t>(wire::ClientMessage::kOpened));
  const Result<wire::Opened> body = message.body<wire::Opened>();
  REQUIRE(body);
  REQUIRE_FALSE(message.descriptors.empty());
  Result<SharedMemory> memory =
      SharedMemory::map(std::move(message.descriptors[0]), body->record_bytes, Access::kRead);
  REQUIRE(memory);
  const Result<wire::Record> record = wire::Record::open(memory->bytes());
  REQUIRE(record);
  RawSession session{.number = body->session,
                     .key = body->key,
                     .memory = std::move(*memory),
                     .record = *record,
                     .turns = record->header().orders.turn_asked.load()};
  if (message.descriptors.size() > 1) {
    session.notice = wire::MessageSocket(std::move(message.descriptors[1]));
  }
  return session;
}

RawSession RawClient::open(uint32_t flags, uint32_t tokens_max) {
  return opened(
      ask(wire::ClientMessage::kOpen, 0, wire::Open{.flags = flags, .tokens_max = tokens_max}));
}

void RawClient::begin(RawSession& session, const Ask& ask) {
  const wire::AskTurn body{.number = ++session.turns,
                           .keep = ask.keep,
                           .tokens = static_cast<uint32_t>(ask.tokens.size()),
                           .answer_tokens_max = ask.answer,
                           .logit_rows = ask.logit_rows,
                           .flags = ask.flags,
                           .end_ids = static_cast<uint32_t>(ask.end_ids.size()),
                           .biases = static_cast<uint32_t>(ask.biases.size()),
                           .sampling = ask.sampling};
  std::vector<std::byte> tail;
  const auto append = [&tail](const auto& numbers) {
    const auto bytes = std::as_bytes(std::span(numbers));
    tail.insert(tail.end(), bytes.begin(), bytes.end());
  };
  append(ask.end_ids);
  append(ask.biases);
  append(ask.tokens);
  REQUIRE(socket_.send(
      {.type = static_cast<uint32_t>(wire::ClientMessage::kTurn), .session = session.number}, body,
      tail, {}, wire::MessageSocket::Wait::kForRoom));
}

void RawClient::cancel(const RawSession& session) {
  REQUIRE(socket_.send(
      {.type = static_cast<uint32_t>(wire::ClientMessage::kCancel), .session = session.number},
      wire::Cancel{.turn = session.turns}, {}, {}, wire::MessageSocket::Wait::kForRoom));
}

void RawClient::close(const RawSession& session) {
  REQUIRE(socket_.send(
      {.type = static_cast<uint32_t>(wire::ClientMessage::kClose), .session = session.number}, {},
      {}, {}, wire::MessageSocket::Wait::kForRoom));
}

void RawClient::run(RawSession& session, const Ask& ask) {
  begin(session, ask);
  wait_for_turn(session);
}

wire::Statistics RawClient::statistics() {
  const wire::Message message = ask(wire::ClientMessage::kStatistics, 0);
  REQUIRE(message.header.type == static_cast<uint32_t>(wire::ClientMessage::kStatisticsAre));
  return *message.body<wire::Statistics>();
}

Served::Served(SupervisorOptions options)
    : supervisor(taken(SupervisorThread::start(std::move(options)))),
      client(taken(supervisor.connect())) {}

RawClient Served::connect() { return RawClient(taken(supervisor.connect())); }

void kill_obedient_worker(RawClient& client) {
  // An answer takes a round of the event loop.
  while (!Orders::is_obeyed()) static_cast<void>(client.statistics());
  const uint32_t worker = client.statistics().worker;
  REQUIRE(worker != 0);
  REQUIRE(::kill(static_cast<int>(worker), SIGKILL) == 0);
}

void wait_for_turn(const RawSession& session) {
  const wire::RecordHeader& header = session.record.header();
  wait_while(session.record, [&] { return header.progress.turn_done.load() != session.turns; });
}

void wait_for_tokens(const RawSession& session, size_t tokens) {
  const wire::RecordHeader& header = session.record.header();
  wait_while(session.record, [&] {
    return header.progress.turn_done.load() != session.turns &&
           session.record.point().tokens < tokens;
  });
}

Ids some_tokens(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  Ids ids(count);
  for (int32_t& id : ids) id = static_cast<int32_t>(random() % kVocabulary);
  return ids;
}

Ids expected_after(Ids before, const Ask& ask) {
  before.resize(ask.keep);
  before.insert(before.end(), ask.tokens.begin(), ask.tokens.end());
  return fake_conversation(std::move(before), ask.turn(), kVocabulary);
}

}  // namespace ovenbird
