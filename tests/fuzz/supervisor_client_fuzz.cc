// A client that says anything, in any order, with any descriptors, to a living supervisor with the
// fake worker: another client's text stays right, no worker is lost, and nothing stays open.
#include <fcntl.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "base/futex.h"
#include "base/shared_memory.h"

#include "fakes/fake_bundle.h"
#include "fakes/fake_text.h"
#include "hostile_client.h"
#include "supervisor/supervisor.h"

namespace ovenbird {
namespace {

constexpr uint32_t kVocabulary = kFakeVocabulary;
constexpr uint32_t kContext = 64;
constexpr uint32_t kSlots = 2;
constexpr auto kLong = std::chrono::seconds(60);  // a turn that takes longer is none

/// Over a bundle that is gone once it has been opened: the fake worker looks at none.
SupervisorThread start_supervisor() {
  std::string folder = (std::filesystem::temp_directory_path() / "ovenbird-XXXXXX").string();
  OVENBIRD_CHECK(::mkdtemp(folder.data()) != nullptr);
  OVENBIRD_CHECK(write_fake_bundle(folder + "/bundle", kContext).has_value());
  SupervisorOptions options{.bundle = folder + "/bundle", .engine = OVENBIRD_FAKE_WORKER};
  options.device = "CPU";
  options.slots = kSlots;
  options.sessions = 12;
  options.session_tokens = 150;
  options.deadlines.step_floor = kLong;  // nothing is hung that only waits for a processor
  Result<SupervisorThread> started = SupervisorThread::start(options);
  OVENBIRD_CHECK(started.has_value());
  std::filesystem::remove_all(folder);
  return std::move(*started);
}

/// The client that must not notice anything.
class GoodClient {
 public:
  explicit GoodClient(SupervisorThread& supervisor) : socket_(*supervisor.connect()) {
    OVENBIRD_CHECK(
        socket_.send({.type = number_of(wire::ClientMessage::kOpen), .request = 1}, wire::Open{})
            .has_value());
    const wire::Message opened = next();
    const auto body = opened.body<wire::Opened>();
    OVENBIRD_CHECK(body && opened.descriptors.size() == 1);
    session_ = body->session;
    FileDescriptor record(::fcntl(opened.descriptors[0].get(), F_DUPFD_CLOEXEC, 0));
    memory_ = *SharedMemory::map(std::move(record), body->record_bytes, Access::kRead);
    record_.emplace(*wire::Record::open(memory_.bytes()));
  }

  uint64_t session() const { return session_; }

  void begin_turn() {
    ++turn_;
    const auto keep = static_cast<uint32_t>(text_.size() % 61);
    text_.resize(keep);
    for (uint32_t i = 0; i < 5; ++i) text_.push_back(static_cast<int32_t>((turn_ * 7 + i) % 1000));
    const wire::AskTurn ask{
        .number = turn_, .keep = keep, .tokens = 5, .answer_tokens_max = kAnswer};
    const auto fed = std::span(text_).subspan(keep);
    OVENBIRD_CHECK(socket_
                       .send({.type = number_of(wire::ClientMessage::kTurn), .session = session_},
                             ask, std::as_bytes(fed), {}, wire::MessageSocket::Wait::kForRoom)
                       .has_value());
    text_ = fake_conversation(std::move(text_), {.answer_tokens_max = kAnswer}, kVocabulary);
  }

  void end_turn() const {
    const wire::RecordHeader& header = record_->header();
    const auto begin = std::chrono::steady_clock::now();
    for (;;) {
      const uint32_t seen = header.progress.wake.load(std::memory_order_acquire);
      if (header.progress.turn_done.load(std::memory_order_acquire) == turn_) break;
      OVENBIRD_CHECK(std::chrono::steady_clock::now() - begin < kLong);
      futex_wait(header.progress.wake, seen, kLong);
    }
    OVENBIRD_CHECK(header.result.finish == static_cast<uint32_t>(wire::Finish::kLength));
    const auto said = record_->tokens().first(record_->point().tokens);
    OVENBIRD_CHECK(std::equal(said.begin(), said.end(), text_.begin(), text_.end()));
  }

  wire::Statistics statistics() const {
    OVENBIRD_CHECK(socket_
                       .send({.type = number_of(wire::ClientMessage::kStatistics), .request = 2},
                             {}, {}, {}, wire::MessageSocket::Wait::kForRoom)
                       .has_value());
    return *next().body<wire::Statistics>();
  }

 private:
  static constexpr uint32_t kAnswer = 12;

  wire::Message next() const {
    Result<std::optional<wire::Message>> message =
        socket_.receive_within(static_cast<int>(std::chrono::milliseconds(kLong).count()));
    OVENBIRD_CHECK(message && *message);
    return std::move(**message);
  }

  wire::MessageSocket socket_;
  uint64_t session_ = 0;
  SharedMemory memory_;
  std::optional<wire::Record> record_;
  uint32_t turn_ = 0;
  std::vector<int32_t> text_;
};

/// What a client can have opened or handed over. (A sanitizer has pipes to who prints its stacks.)
ptrdiff_t held_objects() {
  ptrdiff_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code ignored;
    const std::string target = std::filesystem::read_symlink(entry.path(), ignored);
    for (const char* kind : {"socket:", "/memfd:", "/dev/zero"}) count += target.starts_with(kind);
  }
  return count;
}

/// Lives as long as the process: what one input leaves behind the next one meets.
struct Served {
  SupervisorThread supervisor = start_supervisor();
  GoodClient good{supervisor};
};

}  // namespace
}  // namespace ovenbird

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ovenbird;
  static auto* served = new Served();
  static const ptrdiff_t objects = held_objects();
  served->good.begin_turn();
  {
    InputBytes input(data, size);
    std::vector<HostileClient> hostile;
    for (int i = 0; i < 2; ++i) hostile.emplace_back(*served->supervisor.connect());
    while (!input.is_over()) {
      HostileClient& client = hostile[input.next<uint8_t>() % 2];
      if (!client.act(input, served->good.session())) {
        client = HostileClient(*served->supervisor.connect());
      }
    }
  }
  served->good.end_turn();
  wire::Statistics statistics = served->good.statistics();
  while (statistics.clients > 1) statistics = served->good.statistics();
  if (statistics.restarts > 0) std::fprintf(stderr, "%s\n", statistics.last_failure.data());
  OVENBIRD_CHECK(statistics.restarts == 0 && statistics.sessions == 1);
  // A closed session stays while it is stepped, and while its rows may be of use: a record and a
  // pair of sockets. An answer takes a round of the supervisor's loop, in which more of it goes.
  const auto begin = std::chrono::steady_clock::now();
  while (held_objects() > objects + ptrdiff_t{3 * kSlots}) {
    OVENBIRD_CHECK(std::chrono::steady_clock::now() - begin < kLong);
    static_cast<void>(served->good.statistics());
  }
  return 0;
}
