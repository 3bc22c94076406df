// Many sessions on few slots of a daemon, for minutes, while workers are killed, answers cancelled,
// sessions forked and clients killed. Every answer is compared with what an undisturbed session
// says; memory, descriptors and shared memory of the daemon are counted at the beginning and at the
// end. In: see main(). Out: a line of counts and a line of growth; exit code 1 if anything was
// lost.
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "client_calls.h"
#include "options.h"
#include "ovenbird/client.hpp"

namespace ovenbird {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

struct Question {
  Ids prompt;
  Ids expected;
};

struct Counts {
  std::atomic<uint64_t> answers{0}, wrong{0}, cancelled{0}, forks{0}, busy{0}, kills{0}, deaths{0};
};

/// What a process holds.
struct Holdings {
  size_t descriptors = 0;
  size_t objects = 0;  // in /dev/shm, ours
  double resident_mib = 0;
};

Holdings holdings_of(uint32_t process) {
  Holdings holdings;
  const std::string root = "/proc/" + std::to_string(process);
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(root + "/fd")) {
    ++holdings.descriptors;
  }
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
    if (entry.path().filename().string().starts_with("ovenbird-")) ++holdings.objects;
  }
  std::ifstream status(root + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("RssAnon:")) {
      holdings.resident_mib = std::strtod(line.c_str() + 8, nullptr) / 1024;
    }
  }
  return holdings;
}

constexpr uint32_t kAnswerTokens = 24;
constexpr std::chrono::seconds kUntilClosed{1};  // nobody waits for what he closes

GenerateOptions answer_options(uint32_t tokens) {
  return {.tokens_max = tokens, .ignore_end = true};
}

/// The whole answer; nothing if it was refused for there was no room.
std::optional<Ids> said(Session& session, uint32_t tokens, Counts& counts,
                        std::optional<size_t> cancel_after = std::nullopt) {
  const Status begun = session.generate(answer_options(tokens));
  if (!begun) give_up("generate: " + begun.error().message);
  Ids ids;
  while (true) {
    const Result<Piece> piece = session.next();
    if (!piece && piece.error().code == Code::kBusy) {
      counts.busy.fetch_add(1);
      return std::nullopt;
    }
    if (!piece) give_up("next: " + piece.error().message);
    ids.insert(ids.end(), piece->tokens.begin(), piece->tokens.end());
    if (piece->is_over) return ids;
    if (cancel_after && ids.size() >= *cancel_after) {
      static_cast<void>(session.cancel());
      cancel_after.reset();
    }
  }
}

bool is_beginning(const Ids& part, const Ids& whole) {
  return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
}

/// One of the crowd: a session that asks one question after the other.
class Member {
 public:
  Member(Client& client, const std::vector<Question>& questions, Counts& counts, uint64_t seed)
      : client_(client), questions_(questions), counts_(counts), random_(seed) {}

  void run(const std::atomic<bool>& stop) {
    Session session = taken(client_.open(), "open");
    while (!stop.load()) {
      ask(session);
      if (random_() % 8 == 0) session = taken(client_.open(), "open");
    }
  }

 private:
  void ask(Session& session) {
    const Question& question = questions_[random_() % questions_.size()];
    const Status set = session.set_conversation(question.prompt);
    if (!set) give_up("feed: " + set.error().message);
    switch (random_() % 6) {
      case 0:
        return cancel(session, question);
      case 1:
        return fork(session, question);
      default:
        check(said(session, kAnswerTokens, counts_), question.expected);
    }
  }

  void cancel(Session& session, const Question& question) {
    const auto ids = said(session, kAnswerTokens, counts_, random_() % kAnswerTokens);
    if (!ids) return;
    counts_.cancelled.fetch_add(1);
    counts_.answers.fetch_add(1);
    if (!is_beginning(*ids, question.expected)) counts_.wrong.fetch_add(1);
  }

  /// Half of the answer, then its rest in both, the fork and what it came from.
  void fork(Session& session, const Question& question) {
    const uint32_t half = kAnswerTokens / 2;
    const auto first = said(session, half, counts_);
    if (!first) return;
    Session child = taken(session.fork(), "fork");
    counts_.forks.fetch_add(1);
    for (Session* one : {&child, &session}) {
      const auto rest = said(*one, kAnswerTokens - half, counts_);
      if (!rest) continue;
      Ids whole = *first;
      whole.insert(whole.end(), rest->begin(), rest->end());
      check(whole, question.expected);
    }
  }

  void check(const std::optional<Ids>& ids, const Ids& expected) {
    if (!ids) return;
    counts_.answers.fetch_add(1);
    if (*ids != expected) counts_.wrong.fetch_add(1);
  }

  Client& client_;
  const std::vector<Question>& questions_;
  Counts& counts_;
  std::mt19937_64 random_;
};

/// A client in a process of its own that is killed in the middle of an answer.
void kill_a_client(const std::string& socket, milliseconds after) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/proc/self/exe", "crowd_soak", "--victim", socket.c_str(), nullptr);
    std::_Exit(127);
  }
  std::this_thread::sleep_for(after);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

/// What such a client does until it is killed.
int be_a_victim(const std::string& socket) {
  Client client = taken(Client::connect(socket), "connect");
  Session session = taken(client.open(), "open");
  const Ids prompt{1, 2, 3, 4, 5};
  static_cast<void>(session.set_conversation(prompt));
  static_cast<void>(session.generate(answer_options(100'000)));
  while (session.next()) {
  }
  return 0;
}

/// Asks each question once while nobody else is there.
std::vector<Question> undisturbed(Client& client, uint32_t vocabulary, std::mt19937_64& random) {
  Counts counts;
  std::vector<Question> questions;
  Session session = taken(client.open(), "open");
  for (const size_t tokens : {4u, 12u, 30u, 60u, 140u}) {
    Question question;
    for (size_t i = 0; i < tokens; ++i) {
      question.prompt.push_back(static_cast<int32_t>(random() % vocabulary));
    }
    static_cast<void>(session.set_conversation(question.prompt));
    question.expected = *said(session, kAnswerTokens, counts);
    questions.push_back(question);
  }
  return questions;
}

/// Kills workers and clients until it is time. What the supervisor held when it was warm.
Holdings disturb(const std::string& socket, Client& client, Clock::time_point until,
                 std::mt19937_64& random, Counts& counts) {
  const uint32_t supervisor = taken(client.facts(), "facts").supervisor;
  const auto warm = Clock::now() + (until - Clock::now()) / 10;
  std::optional<Holdings> before;
  while (Clock::now() < until) {
    std::this_thread::sleep_for(milliseconds(random() % 3000));
    if (random() % 2 == 0) {
      kill_a_client(socket, milliseconds(random() % 500));
      counts.deaths.fetch_add(1);
    } else if (const auto statistics = client.statistics(); statistics && statistics->worker) {
      ::kill(static_cast<pid_t>(statistics->worker), SIGKILL);
      counts.kills.fetch_add(1);
    }
    if (!before && Clock::now() > warm) before = holdings_of(supervisor);
  }
  return before.value_or(holdings_of(supervisor));
}

void print(const Counts& counts, uint64_t own_deaths) {
  const auto number = [](uint64_t count) { return static_cast<unsigned long long>(count); };
  std::printf(
      "%llu answers, %llu wrong, %llu cancelled, %llu forks, %llu busy, %llu workers killed, "
      "%llu died by themselves, %llu clients killed\n",
      number(counts.answers), number(counts.wrong), number(counts.cancelled), number(counts.forks),
      number(counts.busy), number(counts.kills), number(own_deaths), number(counts.deaths));
}

int soak(const SoakOptions& options) {
  const std::string socket = options.text("--socket", "");
  Client client = taken(Client::connect(socket), "connect");
  const ovenbird_facts facts = taken(client.facts(), "facts");
  std::mt19937_64 random(options.number("--seed", 1));
  const std::vector<Question> questions = undisturbed(client, facts.vocabulary, random);
  const uint64_t restarts_before = taken(client.statistics(), "statistics").restarts;
  const Holdings rest_before = holdings_of(facts.supervisor);
  Counts counts;
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (uint64_t index = 0; index < options.number("--sessions", 64); ++index) {
    threads.emplace_back([&, index] { Member(client, questions, counts, 1000 + index).run(stop); });
  }
  const auto until = Clock::now() + std::chrono::seconds(options.number("--seconds", 600));
  const Holdings before = disturb(socket, client, until, random, counts);
  stop.store(true);
  const Holdings after = holdings_of(facts.supervisor);
  for (std::thread& thread : threads) thread.join();
  std::this_thread::sleep_for(kUntilClosed);
  const Holdings rest_after = holdings_of(facts.supervisor);
  // Other deaths than those that were ordered are a worker's own fault, however well they end.
  const uint64_t restarts = taken(client.statistics(), "statistics").restarts - restarts_before;
  const uint64_t own_deaths = restarts - std::min<uint64_t>(restarts, counts.kills);
  print(counts, own_deaths);
  std::printf("supervisor at rest: descriptors %zu -> %zu, shared objects %zu -> %zu; ",
              rest_before.descriptors, rest_after.descriptors, rest_before.objects,
              rest_after.objects);
  std::printf("in the crowd: private memory %.1f -> %.1f MiB\n", before.resident_mib,
              after.resident_mib);
  // Each slot keeps the record of the session that had it last.
  const bool has_grown = rest_after.descriptors > rest_before.descriptors + facts.slots ||
                         rest_after.objects > rest_before.objects;
  return counts.wrong == 0 && own_deaths == 0 && !has_grown ? 0 : 1;
}

}  // namespace
}  // namespace ovenbird

/// --socket PATH of a running `ovenbird serve`; [--sessions N] [--seconds N] [--seed N]
int main(int count, char** arguments) {
  const ovenbird::SoakOptions options(count, arguments);
  const std::string victim = options.text("--victim", "");
  return victim.empty() ? ovenbird::soak(options) : ovenbird::be_a_victim(victim);
}
