// How long an answer pauses when its device is lost in the middle of it, and the CPU goes on: from
// the last token before to the first one after. In: a bundle that was baked for an NPU, which is
// the emulated one; see main(). Out: a table in milliseconds, beside a step of an undisturbed CPU.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "ovenbird/client.hpp"
#include "soak/client_calls.h"
#include "soak/faulty_engine.h"
#include "soak/options.h"

namespace ovenbird {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint32_t kAnswerTokens = 40;
constexpr uint32_t kTokensBefore = 20;  // the fault
constexpr size_t kStepTokens = 128;     // of a prompt that one step on an NPU reads

/// One way to lose a device.
struct Way {
  const char* name;
  const char* device;
  bool standby;
  bool is_lost;    // the driver says so at every step from then on, to later workers too
  bool is_killed;  // the worker, by SIGKILL; the device is well
};

constexpr Way kUndisturbed{"undisturbed on the CPU: one step", "CPU", false, false, false};
constexpr Way kWays[] = {
    {"device lost, warm standby", "NPU", true, true, false},
    {"worker killed, warm standby", "NPU", true, false, true},
    {"device lost, no standby: the NPU is tried twice more", "NPU", false, true, false},
    {"worker killed, no standby: goes on with the NPU", "NPU", false, false, true}};

double ms_between(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double, std::milli>(end - begin).count();
}

class Bench {
 public:
  explicit Bench(const SoakOptions& options)
      : bundle_(options.text("--bundle", "")),
        prompt_tokens_(options.number("--prompt", 100)),
        faults_(options.text("--engine", ""), options.text("--emulator", ""), notes_) {}
  ~Bench() { std::filesystem::remove_all(notes_); }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  /// The longest pause in the time of the fault; without one, the median of all.
  double sample(const Way& way) const {
    const size_t steps_before =
        (prompt_tokens_ + kStepTokens - 1) / kStepTokens + kTokensBefore - 1;
    const std::string lost = "device-lost@" + std::to_string(steps_before + 1);
    faults_.plan(way.is_lost ? std::vector<std::string>{lost, "device-lost@1"}
                             : std::vector<std::string>{""});
    Client client = start(way);
    const std::vector<double> pauses = pauses_of_answer(client, way.is_killed);
    const ovenbird_statistics after = taken(client.statistics(), "statistics");
    const bool goes_on_with_npu = way.is_killed && !way.standby;
    if (std::string(after.device) != (goes_on_with_npu ? "NPU" : "CPU")) {
      give_up(std::string("the answer ended on ") + after.device + "; " + after.last_failure);
    }
    if (!way.is_lost && !way.is_killed) {
      std::vector<double> sorted = pauses;
      std::sort(sorted.begin(), sorted.end());
      return sorted[sorted.size() / 2];
    }
    // A worker that is killed when a token is heard may have said the next one.
    return std::max(pauses[kTokensBefore - 1], pauses[kTokensBefore]);
  }

 private:
  static std::filesystem::path new_directory() {
    std::string pattern = std::filesystem::temp_directory_path() / "failover-XXXXXX";
    if (!::mkdtemp(pattern.data())) give_up("cannot make " + pattern);
    return pattern;
  }

  Client start(const Way& way) const {
    StartOptions how{.engine = this_program(), .device = way.device};
    how.standby = way.standby;
    Client client = taken(Client::start(bundle_, how), "start");
    const Status ready = client.wait_ready();
    if (!ready) give_up("start: " + ready.error().message);
    while (way.standby && taken(client.statistics(), "statistics").standby == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return client;
  }

  /// Between the first token and the second one, the second one and the third one, ...
  std::vector<double> pauses_of_answer(Client& client, bool kills) const {
    const auto process = static_cast<pid_t>(taken(client.statistics(), "statistics").worker);
    Session session = taken(client.open(), "open");
    if (const Status set = session.set_conversation(prompt(client)); !set) {
      give_up("set conversation: " + set.error().message);
    }
    const Status begun = session.generate({.tokens_max = kAnswerTokens, .ignore_end = true});
    if (!begun) give_up("generate: " + begun.error().message);
    std::vector<Clock::time_point> said;
    for (bool is_over = false; !is_over;) {
      const Piece piece = taken(session.next(), "next");
      is_over = piece.is_over;
      said.insert(said.end(), piece.tokens.size(), Clock::now());
      if (kills && said.size() == kTokensBefore && !piece.tokens.empty()) ::kill(process, SIGKILL);
    }
    if (said.size() != kAnswerTokens) give_up("the answer is not whole");
    std::vector<double> pauses;
    for (size_t i = 1; i < said.size(); ++i) pauses.push_back(ms_between(said[i - 1], said[i]));
    return pauses;
  }

  Ids prompt(const Client& client) const {
    const uint32_t vocabulary = taken(client.facts(), "facts").vocabulary;
    std::mt19937 random(1);
    Ids ids(prompt_tokens_);
    for (int32_t& id : ids) id = static_cast<int32_t>(random() % vocabulary);
    return ids;
  }

  const std::string bundle_;
  const size_t prompt_tokens_;
  const std::filesystem::path notes_ = new_directory();
  const WorkerFaults faults_;
};

void measure(const Bench& bench, const Way& way, uint64_t samples) {
  std::vector<double> all;
  while (all.size() < samples) all.push_back(bench.sample(way));
  std::sort(all.begin(), all.end());
  std::printf("%-52s %8.1f %8.1f\n", way.name, all[all.size() / 2], all.back());
  std::fflush(stdout);
}

int run(const SoakOptions& options) {
  const Bench bench(options);
  const uint64_t samples = std::max<uint64_t>(options.number("--samples", 5), 1);
  static_cast<void>(bench.sample(kUndisturbed));  // fills the cache of compiled graphs
  std::printf("%llu samples each; milliseconds\n", static_cast<unsigned long long>(samples));
  std::printf("%-52s %8s %8s\n", "pause", "median", "worst");
  measure(bench, kUndisturbed, samples);
  for (const Way& way : kWays) measure(bench, way, samples);
  return 0;
}

}  // namespace
}  // namespace ovenbird

/// --bundle DIR --engine PATH --emulator DIR [--samples N] [--prompt TOKENS]
int main(int count, char** arguments) {
  if (count > 1 && std::string(arguments[1]) == "worker") ovenbird::become_worker(arguments);
  return ovenbird::run(ovenbird::SoakOptions(count, arguments));
}
