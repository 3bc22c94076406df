// What bench measures in one process.
#include "bench_figures.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "open_model.h"
#include "session/session.h"

namespace ovenbird {
namespace {

constexpr uint32_t kRounds = 3;              // of which the median counts
constexpr double kSecondsForAllRounds = 20;  // a slow plan is measured fewer times
constexpr uint32_t kDecodedTokens = 128;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Seconds since the system started this process, as exact as its clock ticks (10 ms).
double process_age_s() {
  std::ifstream file("/proc/self/stat");
  std::string text;
  std::getline(file, text);
  // The name in parentheses may hold anything; behind it, the start time is the 20th number.
  text.erase(0, text.rfind(')') + 2);
  for (int field = 3; field < 22; ++field) text.erase(0, text.find(' ') + 1);
  const double ticks = std::strtod(text.c_str(), nullptr);
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9 -
         ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

/// The most memory that has been resident, in MiB.
double peak_resident_mib() {
  std::ifstream file("/proc/self/status");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("VmHWM:")) return std::strtod(line.c_str() + 6, nullptr) / 1024;
  }
  return 0;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Taken {
  double first_s = 0;       // to the first token
  double tokens_per_s = 0;  // after it
};

/// Asks the same session again and again; no prompt shares a prefix with one before.
class Bench {
 public:
  Bench(Session& session, uint32_t vocabulary) : session_(session), vocabulary_(vocabulary) {}

  Result<Taken> ask(uint32_t prompt_tokens, uint32_t answer_tokens) {
    std::vector<int32_t> prompt(prompt_tokens);
    for (int32_t& id : prompt) id = static_cast<int32_t>(random_() % vocabulary_);
    // Two prompts in a row never begin with the same token.
    prompt[0] = static_cast<int32_t>(++asked_ % vocabulary_);
    const Clock::time_point begin = Clock::now();
    if (Status done = session_.prompt(prompt); !done) return Failure{done.error()};
    Taken taken;
    Clock::time_point first;
    for (uint32_t token = 0; token < answer_tokens; ++token) {
      if (const Result<int32_t> id = session_.next(); !id) return Failure{id.error()};
      if (token > 0) continue;
      taken.first_s = seconds_since(begin);
      first = Clock::now();
    }
    if (answer_tokens > 1) taken.tokens_per_s = (answer_tokens - 1) / seconds_since(first);
    return taken;
  }

  /// The medians of several rounds, each by itself.
  Result<Taken> ask_often(uint32_t prompt_tokens, uint32_t answer_tokens) {
    std::vector<double> first, rate;
    const Clock::time_point begin = Clock::now();
    while (first.size() < kRounds &&
           (first.empty() || seconds_since(begin) < kSecondsForAllRounds)) {
      const Result<Taken> taken = ask(prompt_tokens, answer_tokens);
      if (!taken) return taken;
      first.push_back(taken->first_s);
      rate.push_back(taken->tokens_per_s);
    }
    return Taken{median(first), median(rate)};
  }

 private:
  Session& session_;
  uint32_t vocabulary_;
  uint64_t asked_ = 0;
  std::mt19937 random_{1};
};

Result<Model> open(const RunChoice& choice) {
  Result<Bundle> bundle = Bundle::open(choice.bundle);
  if (!bundle) return Failure{bundle.error()};
  return open_model(*std::move(bundle), choice, Purpose::kAnswer);
}

}  // namespace

Status compile_here(const RunChoice& choice) {
  const Result<Model> model = open(choice);
  if (!model) return Failure{model.error()};
  Result<Session> session = Session::create(*model->plan, model->vocabulary(), {});
  if (!session) return Failure{session.error()};
  const Result<Taken> asked = Bench(*session, model->vocabulary()).ask(16, 2);
  return asked ? ok() : Failure{asked.error()};
}

Result<BenchFigures> measure_here(const RunChoice& choice) {
  const Result<Model> model = open(choice);
  if (!model) return Failure{model.error()};
  Result<Session> session = Session::create(*model->plan, model->vocabulary(), {});
  if (!session) return Failure{session.error()};

  BenchFigures figures{
      .plan = model->plan_name, .recipe = model->recipe, .device = model->device()};
  Bench bench(*session, model->vocabulary());
  if (const auto start = bench.ask(16, 1); !start) return Failure{start.error()};
  figures.start_s = process_age_s();
  // What is made on first use (other graphs, memory) is made now.
  if (const auto warm = bench.ask(128, 8); !warm) return Failure{warm.error()};
  const Result<Taken> usual = bench.ask_often(128, kDecodedTokens);
  if (!usual) return Failure{usual.error()};
  figures.ttft_ms_128 = usual->first_s * 1000;
  figures.decode_tps = usual->tokens_per_s;
  figures.rss_mib = peak_resident_mib();
  if (const auto warm = bench.ask(512, 1); !warm) return Failure{warm.error()};
  const Result<Taken> large = bench.ask_often(512, 1);
  if (!large) return Failure{large.error()};
  figures.ttft_ms_512 = large->first_s * 1000;
  return figures;
}

std::string to_json(const BenchFigures& figures) {
  const nlohmann::ordered_json json{{"plan", figures.plan},
                                    {"recipe", figures.recipe},
                                    {"device", figures.device},
                                    {"start_s", figures.start_s},
                                    {"ttft_ms_128", figures.ttft_ms_128},
                                    {"ttft_ms_512", figures.ttft_ms_512},
                                    {"decode_tps", figures.decode_tps},
                                    {"rss_mib", figures.rss_mib}};
  return json.dump();
}

Result<BenchFigures> parse_figures(const std::string& text) {
  const Result<nlohmann::json> json = parse_json(text);
  if (!json) return Failure{json.error()};
  try {
    return BenchFigures{.plan = json->at("plan").get<std::string>(),
                        .recipe = json->at("recipe").get<std::string>(),
                        .device = json->at("device").get<std::string>(),
                        .start_s = json->at("start_s").get<double>(),
                        .ttft_ms_128 = json->at("ttft_ms_128").get<double>(),
                        .ttft_ms_512 = json->at("ttft_ms_512").get<double>(),
                        .decode_tps = json->at("decode_tps").get<double>(),
                        .rss_mib = json->at("rss_mib").get<double>()};
  } catch (const nlohmann::json::exception& thrown) {
    return fail(Code::kCorrupt, std::string("figures of a bench: ") + thrown.what());
  }
}

}  // namespace ovenbird
