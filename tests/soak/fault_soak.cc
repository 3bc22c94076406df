// Answers over the emulated NPU, each with a fault of the driver at one call: once, for ever, or
// with another fault while a worker takes over. Every token is compared with an undisturbed run's,
// and with the CPU's. In: a bundle with f32 weights and cache, with which both say the same; see
// main(). Out: a line for each case that went wrong, and a line of counts; exit code 1 if any did.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "client_calls.h"
#include "fault_cases.h"
#include "faulty_engine.h"
#include "options.h"
#include "ovenbird/client.hpp"

namespace ovenbird {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::minutes kStuck{5};  // longer than three steps that hang
constexpr size_t kPromptTokens = 140;      // two steps
constexpr size_t kMoreTokens = 3;
constexpr uint32_t kAnswerTokens = 12;
constexpr uint64_t kCallsTried = 14;  // every step of the first answer

/// What is asked: a prompt, and when it is answered a little more.
struct Question {
  Ids prompt;
  Ids more;
  GenerateOptions options;
};

Question question_of(uint32_t vocabulary, float temperature) {
  std::mt19937 random(7);
  Question question;
  const auto add = [&](Ids& ids, size_t count) {
    while (ids.size() < count) ids.push_back(static_cast<int32_t>(random() % vocabulary));
  };
  add(question.prompt, kPromptTokens);
  add(question.more, kMoreTokens);
  question.options = {.tokens_max = kAnswerTokens,
                      .temperature = temperature,
                      .top_k = 40,
                      .seed = 11,
                      .ignore_end = true};
  return question;
}

/// Both answers, one behind the other, and why there are no more tokens if there should be.
struct Said {
  Ids tokens;
  std::string problem;
};

void listen(Session& session, const GenerateOptions& options, Said& said) {
  const Status begun = session.generate(options);
  if (!begun) give_up("generate: " + begun.error().message);
  for (const auto until = Clock::now() + kStuck; Clock::now() < until;) {
    const Result<Piece> piece = session.next_within(std::chrono::seconds(10));
    if (!piece) {
      said.problem = piece.error().message;
      return;
    }
    said.tokens.insert(said.tokens.end(), piece->tokens.begin(), piece->tokens.end());
    if (piece->is_over) return;
  }
  said.problem = "stuck";
}

Said answers_to(Client& client, const Question& question) {
  Session session = taken(client.open(), "open");
  Said said;
  const Status set = session.set_conversation(question.prompt);
  if (!set) give_up("set conversation: " + set.error().message);
  listen(session, question.options, said);
  if (!said.problem.empty()) return said;
  const Status fed = session.feed(question.more);
  if (!fed) give_up("feed: " + fed.error().message);
  listen(session, question.options, said);
  return said;
}

std::string text_of(const Ids& ids) {
  std::string text;
  for (const int32_t id : ids) text += (text.empty() ? "" : " ") + std::to_string(id);
  return text;
}

size_t count_of(const std::vector<std::string>& trace, const std::string& key,
                const std::string& value) {
  const std::string member = "\"" + key + "\":\"" + value + "\"";
  return static_cast<size_t>(std::count_if(
      trace.begin(), trace.end(),
      [&](const std::string& line) { return line.find(member) != std::string::npos; }));
}

class Soak {
 public:
  explicit Soak(const SoakOptions& options)
      : has_standby_(options.number("--standby", 0) != 0),
        bundle_(options.text("--bundle", "")),
        faults_(options.text("--engine", ""), options.text("--emulator", ""), notes_) {}
  ~Soak() { std::filesystem::remove_all(notes_); }
  Soak(const Soak&) = delete;
  Soak& operator=(const Soak&) = delete;

  /// What is expected, and how many calls there are for faults to happen at.
  void learn() {
    faults_.plan({""});
    Client on_cpu = start("CPU");
    const ovenbird_facts facts = taken(on_cpu.facts(), "facts");
    for (const float temperature : {0.0f, 0.9f}) {
      questions_.push_back(question_of(facts.vocabulary, temperature));
      expected_.push_back(answers_to(on_cpu, questions_.back()).tokens);
    }
    for (size_t index = 0; index < questions_.size(); ++index) {
      faults_.plan({""});  // the first answer fills the cache of compiled graphs
      Client on_npu = start("NPU");
      const Said said = answers_to(on_npu, questions_[index]);
      if (said.tokens.size() == 2 * kAnswerTokens && said.tokens == expected_[index]) continue;
      give_up("without a fault, CPU and NPU do not say the same: " + text_of(expected_[index]) +
              " and " + text_of(said.tokens) + " " + said.problem);
    }
    undisturbed_ = faults_.trace();
    copy(cache(), notes_ / "cache");
  }

  void run(const FaultCase& tried) {
    if (tried.call > count_of(undisturbed_, "event", tried.kind.counted)) return;
    const size_t question = cases_++ % questions_.size();
    faults_.plan(tried.faults);
    copy(notes_ / "cache", cache());  // some faults remove compiled graphs, or add folded ones
    Client client = start("NPU");
    const Said said = answers_to(client, questions_[question]);
    tokens_ += said.tokens.size();
    const ovenbird_statistics statistics = taken(client.statistics(), "statistics");
    restarts_ += statistics.restarts;
    failovers_ += statistics.failovers;
    const std::string name = tried.kind.name.substr(0, tried.kind.name.find('='));
    std::string problem = said.problem;
    if (count_of(faults_.trace(), "kind", name) == 0) problem = "the fault did not happen";
    // A standby takes over at once, whether or not the NPU could have gone on.
    const bool is_elsewhere = !tried.ends_on.empty() && tried.ends_on != statistics.device;
    if (is_elsewhere && !has_standby_) problem = "another device";
    if (problem.empty() && said.tokens == expected_[question]) return;
    ++wrong_;
    std::printf("wrong: %s, %s: expected %s; got %s; %s; on %s, last failure: %s\n",
                tried.name().c_str(), question == 0 ? "greedy" : "sampled",
                text_of(expected_[question]).c_str(), text_of(said.tokens).c_str(),
                problem.empty() ? "other tokens" : problem.c_str(), statistics.device,
                statistics.last_failure);
    std::fflush(stdout);
  }

  int report() const {
    std::printf(
        "%llu cases, %llu answers, %llu tokens, %llu restarts, %llu failovers, %llu wrong\n",
        static_cast<unsigned long long>(cases_), static_cast<unsigned long long>(2 * cases_),
        static_cast<unsigned long long>(tokens_), static_cast<unsigned long long>(restarts_),
        static_cast<unsigned long long>(failovers_), static_cast<unsigned long long>(wrong_));
    return wrong_ == 0 && cases_ > 0 ? 0 : 1;
  }

 private:
  static std::filesystem::path new_directory() {
    std::string pattern = std::filesystem::temp_directory_path() / "fault-soak-XXXXXX";
    if (!::mkdtemp(pattern.data())) give_up("cannot make " + pattern);
    return pattern;
  }

  std::filesystem::path cache() const { return std::filesystem::path(bundle_) / "cache"; }

  static void copy(const std::filesystem::path& from, const std::filesystem::path& to) {
    std::filesystem::remove_all(to);
    std::filesystem::create_directory(to);
    std::filesystem::copy(from, to);
  }

  Client start(const std::string& device) const {
    StartOptions how{.engine = this_program(), .device = device};
    how.standby = has_standby_;
    Client client = taken(Client::start(bundle_, how), "start");
    const auto is_prepared = [&] {
      return !how.standby || taken(client.statistics(), "statistics").standby != 0;
    };
    while (!is_prepared()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return client;
  }

  const bool has_standby_;
  const std::string bundle_;
  const std::filesystem::path notes_ = new_directory();
  const WorkerFaults faults_;
  std::vector<Question> questions_;
  std::vector<Ids> expected_;
  std::vector<std::string> undisturbed_;  // the driver's trace
  uint64_t cases_ = 0, tokens_ = 0, restarts_ = 0, failovers_ = 0, wrong_ = 0;
};

std::vector<std::string> words_of(const std::string& list) {
  std::vector<std::string> words;
  std::istringstream text(list);
  for (std::string word; std::getline(text, word, ',');) words.push_back(word);
  return words;
}

std::vector<FaultKind> kinds_of(const std::string& list) {
  std::vector<FaultKind> kinds;
  for (const std::string& name : words_of(list)) {
    const auto has_name = [&](const FaultKind& kind) { return kind.name == name; };
    const auto kind = std::find_if(fault_kinds().begin(), fault_kinds().end(), has_name);
    if (kind == fault_kinds().end()) give_up("there is no fault " + name);
    kinds.push_back(*kind);
  }
  return kinds;
}

std::vector<FaultKind> chosen_kinds(const SoakOptions& options) {
  std::vector<FaultKind> kinds = kinds_of(options.text("--kinds", ""));
  if (kinds.empty()) kinds = fault_kinds();
  for (const FaultKind& without : kinds_of(options.text("--without", ""))) {
    std::erase_if(kinds, [&](const FaultKind& kind) { return kind.name == without.name; });
  }
  return kinds;
}

std::vector<std::string> chosen_calls(const SoakOptions& options) {
  std::vector<std::string> calls = words_of(options.text("--calls", ""));
  if (!calls.empty()) return calls;
  for (uint64_t call = 1; call <= kCallsTried; ++call) calls.push_back(std::to_string(call));
  return calls;
}

int soak(const SoakOptions& options) {
  const std::vector<FaultKind> kinds = chosen_kinds(options);
  const std::vector<std::string> calls = chosen_calls(options);
  Soak soak(options);
  soak.learn();
  for (const std::string& mode : words_of(options.text("--modes", "once,ever,recovery"))) {
    const auto cases_at = mode == "once" ? once : mode == "ever" ? for_ever : while_recovering;
    for (const std::string& call : calls) {
      for (const FaultCase& tried : cases_at(kinds, std::stoull(call))) soak.run(tried);
    }
  }
  return soak.report();
}

}  // namespace
}  // namespace ovenbird

/// --bundle DIR --engine PATH --emulator DIR [--kinds crash,hang,...] [--without hang,...]
/// [--calls 1,2,...] [--modes once,ever,recovery] [--standby 1]
int main(int count, char** arguments) {
  if (count > 1 && std::string(arguments[1]) == "worker") ovenbird::become_worker(arguments);
  return ovenbird::soak(ovenbird::SoakOptions(count, arguments));
}
