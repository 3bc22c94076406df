// How long it takes from a worker's commit until a client in another process has seen it, beside
// other ways to tell it. In: samples for each way (100000), microseconds between two commits (50).
// Out: a table in nanoseconds, then the same as one line of JSON.
#include <fcntl.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/futex.h"
#include "base/shared_memory.h"
#include "wire/message_socket.h"
#include "wire/record.h"

namespace ovenbird::wire {
namespace {

constexpr uint32_t kSamplesMax = 1 << 22;  // tokens of one record

/// What fails here ends the program.
void must(bool is_done, const char* what) {
  if (is_done) return;
  std::fprintf(stderr, "hand_off: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

uint64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

/// As a step computes: without giving the processor away.
void compute_for(std::chrono::nanoseconds time) {
  for (const uint64_t end = now_ns() + static_cast<uint64_t>(time.count()); now_ns() < end;) {
    __builtin_ia32_pause();
  }
}

/// The processors that this program may use, as it was started.
cpu_set_t allowed_processors() {
  cpu_set_t allowed;
  must(::sched_getaffinity(0, sizeof allowed, &allowed) == 0, "ask for processors");
  must(CPU_COUNT(&allowed) >= 2, "two processors are needed, one for each side");
  return allowed;
}

constexpr int kWorkersProcessor = 0;
constexpr int kAnotherProcessor = 1;

void stay_on_processor(int which) {
  static const cpu_set_t allowed = allowed_processors();  // before anything stays anywhere
  for (int processor = 0; processor < CPU_SETSIZE; ++processor) {
    if (!CPU_ISSET(processor, &allowed) || which-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    must(::sched_setaffinity(0, sizeof one, &one) == 0, "stay on a processor");
    return;
  }
}

/// Keeps idle processors from being halted, which a virtual machine pays for with a way through its
/// host. Only root may; without it this does nothing.
class ProcessorsAwake {
 public:
  ProcessorsAwake() : request_(::open("/dev/cpu_dma_latency", O_WRONLY | O_CLOEXEC)) {
    const int32_t longest_us = 0;
    is_granted_ = request_ && ::write(request_.get(), &longest_us, sizeof longest_us) > 0;
  }
  bool is_granted() const { return is_granted_; }

 private:
  FileDescriptor request_;
  bool is_granted_;
};

/// What both processes write down, in memory that both can write.
struct Stamps {
  explicit Stamps(uint32_t samples)
      : memory(*SharedMemory::create_unnamed(64 + samples * 3 * sizeof(uint64_t))),
        seen(*reinterpret_cast<std::atomic<uint32_t>*>(memory.bytes().data())),
        begun_ns(reinterpret_cast<uint64_t*>(memory.bytes().data() + 64), samples),
        told_ns(begun_ns.data() + samples, samples),
        seen_ns(told_ns.data() + samples, samples) {}

  SharedMemory memory;
  std::atomic<uint32_t>& seen;   // how many the client has seen
  std::span<uint64_t> begun_ns;  // the worker begins to commit
  std::span<uint64_t> told_ns;   // ... and goes on to its next step
  std::span<uint64_t> seen_ns;   // the client knows
};

struct Figures {
  std::string way;
  uint64_t p50_ns = 0;
  uint64_t p99_ns = 0;
  uint64_t worker_p50_ns = 0;  // what telling costs the worker
};

uint64_t percentile(std::vector<uint64_t> times, size_t percent) {
  const auto place = times.begin() + static_cast<ptrdiff_t>(times.size() * percent / 100);
  std::nth_element(times.begin(), place, times.end());
  return *place;
}

struct Run {
  uint32_t samples;
  std::chrono::microseconds pause;
  int client_processor = kAnotherProcessor;
};

/// A worker tells a client of one thing after another. The next one is told when the last one has
/// been seen and a step has been computed, so that a client that sleeps is asleep by then.
/// `tell(i)` and `see(i)`: of the number i, from 1; see() returns once it is there.
Figures measure(const std::string& way, const Run& run, const std::function<void(uint32_t)>& tell,
                const std::function<void(uint32_t)>& see) {
  Stamps stamps(run.samples);
  const pid_t client = ::fork();
  must(client >= 0, "fork");
  if (client == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    stay_on_processor(run.client_processor);
    for (uint32_t i = 1; i <= run.samples; ++i) {
      see(i);
      stamps.seen_ns[i - 1] = now_ns();
      stamps.seen.store(i, std::memory_order_release);
    }
    ::_exit(0);
  }
  for (uint32_t i = 1; i <= run.samples; ++i) {
    while (stamps.seen.load(std::memory_order_acquire) != i - 1) __builtin_ia32_pause();
    compute_for(run.pause);
    stamps.begun_ns[i - 1] = now_ns();
    tell(i);
    stamps.told_ns[i - 1] = now_ns();
  }
  must(::waitpid(client, nullptr, 0) == client, "wait for the client");
  std::vector<uint64_t> latency(run.samples);
  std::vector<uint64_t> cost(run.samples);
  for (size_t i = 0; i < run.samples; ++i) {
    latency[i] = stamps.seen_ns[i] - stamps.begun_ns[i];
    cost[i] = stamps.told_ns[i] - stamps.begun_ns[i];
  }
  return {way, percentile(latency, 50), percentile(latency, 99), percentile(cost, 50)};
}

/// A record as a worker and, to read only, a client have it.
struct BothRecords {
  explicit BothRecords(uint32_t tokens)
      : memory(*SharedMemory::create_unnamed(Record::bytes_for(tokens, 0, 1))),
        worker(Record::create(memory.bytes(), {.vocabulary = 1, .tokens_max = tokens})),
        seen(*SharedMemory::map(*memory.read_only_descriptor(), memory.bytes().size(),
                                Access::kRead)),
        client(*Record::open(seen.bytes())) {}

  SharedMemory memory;
  Record worker;
  SharedMemory seen;
  Record client;
};

Figures through_record(const std::string& way, const Run& run, bool sleeps) {
  const BothRecords both(run.samples);
  const auto commit = [&](uint32_t i) {
    both.worker.tokens()[i - 1] = 0;
    both.worker.set_point({.tokens = i, .computed = i - 1});
    both.worker.wake();
  };
  const std::atomic<uint32_t>& wake = both.client.header().progress.wake;
  return measure(way, run, commit, [&](uint32_t i) {
    for (;;) {
      const uint32_t before = wake.load(std::memory_order_acquire);
      if (both.client.point().tokens >= i) return;
      if (sleeps) futex_wait(wake, before, std::chrono::seconds(1));
    }
  });
}

Figures through_event_counter(const Run& run) {
  const FileDescriptor counter(::eventfd(0, EFD_CLOEXEC));
  must(static_cast<bool>(counter), "eventfd");
  uint64_t word = 1;
  return measure(
      "eventfd, client sleeps", run,
      [&](uint32_t) { must(::write(counter.get(), &word, sizeof word) > 0, "write"); },
      [&](uint32_t) { must(::read(counter.get(), &word, sizeof word) > 0, "read"); });
}

/// As many bytes as a message with one token would have.
struct Packet {
  MessageHeader header;
  uint64_t token = 0;
};

Figures through_socket(const Run& run) {
  const auto ends = *socket_pair();
  Packet packet;
  return measure(
      "socket, client sleeps", run,
      [&](uint32_t) { must(::send(ends[0].descriptor(), &packet, sizeof packet, 0) > 0, "send"); },
      [&](uint32_t) { must(::recv(ends[1].descriptor(), &packet, sizeof packet, 0) > 0, "recv"); });
}

/// The baseline that others quote: there and back, nothing in between, halved.
Figures socket_ping_pong(const std::string& way, const Run& run) {
  const auto ends = *socket_pair();
  Packet packet;
  const pid_t client = ::fork();
  must(client >= 0, "fork");
  const int mine = ends[client == 0].descriptor();
  const auto send = [&] { must(::send(mine, &packet, sizeof packet, 0) > 0, "send"); };
  const auto receive = [&] { must(::recv(mine, &packet, sizeof packet, 0) > 0, "recv"); };
  if (client == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    stay_on_processor(kAnotherProcessor);
    for (uint32_t i = 0; i < run.samples; ++i) {
      receive();
      send();
    }
    ::_exit(0);
  }
  std::vector<uint64_t> half(run.samples);
  std::vector<uint64_t> cost(run.samples);
  for (uint32_t i = 0; i < run.samples; ++i) {
    const uint64_t begun = now_ns();
    send();
    cost[i] = now_ns() - begun;
    receive();
    half[i] = (now_ns() - begun) / 2;
  }
  must(::waitpid(client, nullptr, 0) == client, "wait for the client");
  return {way, percentile(half, 50), percentile(half, 99), percentile(cost, 50)};
}

void print(const Run& run, std::span<const Figures> all) {
  std::printf("%u samples each, %lld us between two; nanoseconds\n", run.samples,
              static_cast<long long>(run.pause.count()));
  std::printf("%-32s %8s %8s %14s\n", "way", "p50", "p99", "worker, p50");
  std::string json;
  for (const Figures& one : all) {
    std::printf("%-32s %8llu %8llu %14llu\n", one.way.c_str(),
                static_cast<unsigned long long>(one.p50_ns),
                static_cast<unsigned long long>(one.p99_ns),
                static_cast<unsigned long long>(one.worker_p50_ns));
    json += (json.empty() ? "" : ", ") + std::string("{\"way\": \"") + one.way +
            "\", \"p50_ns\": " + std::to_string(one.p50_ns) +
            ", \"p99_ns\": " + std::to_string(one.p99_ns) +
            ", \"worker_p50_ns\": " + std::to_string(one.worker_p50_ns) + "}";
  }
  std::printf("{\"samples\": %u, \"pause_us\": %lld, \"ways\": [%s]}\n", run.samples,
              static_cast<long long>(run.pause.count()), json.c_str());
}

uint32_t number_in(const char* text) {
  uint32_t number = 0;
  const char* end = text + std::strlen(text);
  const auto read = std::from_chars(text, end, number);
  must(read.ec == std::errc() && read.ptr == end && number > 0 && number <= kSamplesMax,
       "usage: hand_off [SAMPLES [MICROSECONDS]]");
  return number;
}

}  // namespace
}  // namespace ovenbird::wire

int main(int argc, char** argv) {
  using namespace ovenbird::wire;
  const Run run{.samples = argc > 1 ? number_in(argv[1]) : 100'000,
                .pause = std::chrono::microseconds(argc > 2 ? number_in(argv[2]) : 50)};
  stay_on_processor(kWorkersProcessor);
  Run beside_it = run;
  beside_it.client_processor = kWorkersProcessor;
  std::vector<Figures> all{through_record("record, client sleeps", run, true),
                           through_record("... on the worker's processor", beside_it, true),
                           through_record("record, client spins", run, false),
                           through_event_counter(run),
                           through_socket(run),
                           socket_ping_pong("socket, half of there and back", run)};
  if (const ProcessorsAwake awake; awake.is_granted()) {
    all.push_back(through_record("awake: record, client sleeps", run, true));
    all.push_back(socket_ping_pong("awake: socket, half of both", run));
  }
  print(run, all);
  return 0;
}
