// What supervision costs a token: the same answers by a bare loop over the engine in this process,
// and by a worker that a supervisor watches, heard through the client library. In pairs, since
// machines are noisy. In: see main(). Out: medians, and quartiles of the pairs' ratios.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "bare_loop.h"
#include "ovenbird/client.hpp"

namespace ovenbird {
namespace {

using Clock = std::chrono::steady_clock;
using Ids = std::vector<int32_t>;

constexpr uint32_t kPromptTokens = 100;
constexpr uint32_t kAnswerTokens = 128;

template <typename T>
T taken(Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "supervision: %s\n", result.error().message.c_str());
  std::exit(1);
}

void must(const Status& status) {
  if (status) return;
  std::fprintf(stderr, "supervision: %s\n", status.error().message.c_str());
  std::exit(1);
}

AnswerTimes ask_supervised(Session& session, const Ids& prompt) {
  const Clock::time_point asked = Clock::now();
  must(session.set_conversation(prompt));
  must(session.generate({.tokens_max = kAnswerTokens, .ignore_end = true}));
  Clock::time_point first;
  for (size_t tokens = 0; tokens < kAnswerTokens;) {
    const size_t more = taken(session.next()).tokens.size();
    if (tokens == 0 && more > 0) first = Clock::now();
    tokens += more;
  }
  const AnswerTimes times = AnswerTimes::of(asked, first, kAnswerTokens);
  while (!taken(session.next()).is_over) {
  }
  return times;
}

double quantile(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(part * static_cast<double>(values.size() - 1) + 0.5)];
}

/// One figure of both, pair by pair.
struct Compared {
  std::vector<double> bare, supervised, ratio;

  void add(double of_bare, double of_supervised) {
    bare.push_back(of_bare);
    supervised.push_back(of_supervised);
    ratio.push_back(of_supervised / of_bare);
  }
  void print(const char* what) const {
    std::printf("%-12s %10.3f %12.3f %9.4f (%.4f to %.4f)\n", what, quantile(bare, 0.5),
                quantile(supervised, 0.5), quantile(ratio, 0.5), quantile(ratio, 0.25),
                quantile(ratio, 0.75));
  }
};

int compare(const Where& where, const std::string& engine, uint32_t pairs, uint64_t spin_us) {
  const auto bare = taken(BareLoop::start(where));
  Client client = taken(Client::start(where.bundle, {.engine = engine,
                                                     .device = where.device,
                                                     .recipe = where.recipe,
                                                     .exact = where.exact,
                                                     .threads = where.threads}));
  Session session = taken(client.open({.spin = std::chrono::microseconds(spin_us)}));
  std::mt19937 random(1);
  Compared first, token;
  for (uint32_t pair = 0; pair < pairs + 2; ++pair) {
    Ids prompt(kPromptTokens);
    for (int32_t& id : prompt) id = static_cast<int32_t>(random() % bare->vocabulary());
    prompt[0] = static_cast<int32_t>(pair);  // no two begin alike
    AnswerTimes alone, watched;
    if (pair % 2 == 0) alone = taken(bare->ask(prompt, kAnswerTokens));
    watched = ask_supervised(session, prompt);
    if (pair % 2 != 0) alone = taken(bare->ask(prompt, kAnswerTokens));
    if (pair < 2) continue;  // graphs are compiled and memory is made
    first.add(alone.first_ms, watched.first_ms);
    token.add(alone.token_ms, watched.token_ms);
  }
  std::printf("%-12s %10s %12s %9s (quartiles of %u pairs)\n", "ms", "bare", "supervised", "ratio",
              pairs);
  first.print("first token");
  token.print("each token");
  return 0;
}

}  // namespace
}  // namespace ovenbird

/// --bundle DIR --engine PATH [--device CPU] [--recipe balanced] [--threads N] [--pairs 20]
/// [--exact 1] [--spin MICROSECONDS] [--memory private|shared]: the bare loop's cache
int main(int count, char** arguments) {
  std::map<std::string, std::string> given{
      {"--device", "CPU"}, {"--recipe", "balanced"}, {"--threads", "0"},     {"--pairs", "20"},
      {"--exact", "0"},    {"--spin", "0"},          {"--memory", "private"}};
  for (int i = 1; i + 1 < count; i += 2) given[arguments[i]] = arguments[i + 1];
  const auto number = [&](const char* name) {
    return static_cast<uint32_t>(std::strtoul(given[name].c_str(), nullptr, 10));
  };
  return ovenbird::compare({.bundle = given["--bundle"],
                            .device = given["--device"],
                            .recipe = given["--recipe"],
                            .threads = number("--threads"),
                            .exact = number("--exact") != 0,
                            .in_shared_memory = given["--memory"] == "shared"},
                           given["--engine"], number("--pairs"), number("--spin"));
}
