// Kills workers, or the supervisor, at random moments of real answers, and compares every token
// with an undisturbed run's. In: a bundle; see main(). Out: a line of counts; exit code 1 if a
// single token was lost, repeated or changed.
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <atomic>
#include <chrono>
#include <cstdio>
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

/// One answer to be given again and again.
struct Question {
  Ids prompt;
  GenerateOptions options;
  Ids expected;
};

std::vector<Question> questions(uint32_t vocabulary, uint32_t answer_tokens) {
  std::vector<Question> all;
  std::mt19937 random(7);
  for (const size_t prompt_tokens : {5u, 40u, 150u, 300u}) {
    for (const float temperature : {0.0f, 0.9f}) {
      Question question;
      for (size_t i = 0; i < prompt_tokens; ++i) {
        question.prompt.push_back(static_cast<int32_t>(random() % vocabulary));
      }
      question.options = {.tokens_max = answer_tokens,
                          .temperature = temperature,
                          .top_k = 40,
                          .seed = prompt_tokens,
                          .ignore_end = true};
      all.push_back(question);
    }
  }
  return all;
}

/// A daemon that is killed and started again.
class Daemon {
 public:
  Daemon(std::vector<std::string> words, std::string socket)
      : words_(std::move(words)), socket_(std::move(socket)) {
    start();
  }
  ~Daemon() {
    if (process_ > 0) ::kill(process_, SIGTERM);
    if (process_ > 0) ::waitpid(process_, nullptr, 0);
  }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  const std::string& socket() const { return socket_; }

  void kill_and_restart() {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    start();
  }

 private:
  void start() {
    process_ = ::fork();
    if (process_ != 0) return;
    std::vector<char*> arguments;
    for (std::string& word : words_) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execv(arguments[0], arguments.data());
    std::_Exit(127);
  }

  std::vector<std::string> words_;
  std::string socket_;
  pid_t process_ = -1;
};

/// Kills while an answer is being given. Tells nobody.
class Killer {
 public:
  Killer(Client& client, Daemon* daemon, uint64_t seed)
      : client_(client), daemon_(daemon), random_(seed) {}

  /// Called by the thread that listens: tokens have come.
  void note_progress() { progress_.fetch_add(1); }

  /// Kills until it is told to stop; at least once.
  void run(const std::atomic<bool>& stop, uint64_t kills_left) {
    uint64_t killed = 0;
    uint32_t in_vain = 0;
    uint64_t seen = progress_.load();
    while (killed < kills_left && (killed == 0 || !stop.load())) {
      if (random_() % 2 == 0) {
        sleep_at_most(milliseconds(400));  // any moment, often while a process starts
      } else {
        wait_for_progress(seen + 1 + random_() % 24, stop);
        sleep_at_most(milliseconds(15));  // any moment of a step
      }
      // A session that gets nowhere three times in a row is given up for poisoned, rightly.
      if (in_vain >= 1) wait_for_progress(seen + 1, stop);
      if (!kill_once()) continue;
      in_vain = progress_.load() == seen ? in_vain + 1 : 0;
      seen = progress_.load();
      ++killed;
    }
    kills_ += killed;
  }

  uint64_t kills() const { return kills_; }

 private:
  void sleep_at_most(std::chrono::microseconds time) {
    std::this_thread::sleep_for(std::chrono::microseconds(random_() % time.count()));
  }

  void wait_for_progress(uint64_t wanted, const std::atomic<bool>& stop) const {
    while (progress_.load() < wanted && !stop.load()) std::this_thread::sleep_for(milliseconds(1));
  }

  bool kill_once() {
    if (daemon_) {
      daemon_->kill_and_restart();
      return true;
    }
    const Result<ovenbird_statistics> statistics = client_.statistics();
    return statistics && statistics->worker != 0 &&
           ::kill(static_cast<pid_t>(statistics->worker), SIGKILL) == 0;
  }

  Client& client_;
  Daemon* daemon_;
  std::mt19937_64 random_;
  std::atomic<uint64_t> progress_{0};
  uint64_t kills_ = 0;
};

Ids listen(Session& session, const Question& question, Killer* killer) {
  const Status set = session.set_conversation(question.prompt);
  if (!set) give_up("feed: " + set.error().message);
  const Status begun = session.generate(question.options);
  if (!begun) give_up("generate: " + begun.error().message);
  Ids said;
  while (true) {
    const Result<Piece> piece = session.next();
    if (!piece)
      give_up("next, after " + std::to_string(said.size()) + " tokens: " + piece.error().message);
    said.insert(said.end(), piece->tokens.begin(), piece->tokens.end());
    if (killer && !piece->tokens.empty()) killer->note_progress();
    if (piece->is_over) return said;
  }
}

Client connect(const SoakOptions& options, Daemon* daemon) {
  if (!daemon) {
    return taken(
        Client::start(options.text("--bundle", ""), {.engine = options.text("--engine", ""),
                                                     .device = options.text("--device", "CPU"),
                                                     .recipe = options.text("--recipe", "balanced"),
                                                     .slots = 2}),
        "start");
  }
  for (int attempt = 0; attempt < 1000; ++attempt) {
    Result<Client> client = Client::connect(daemon->socket());
    if (client) return std::move(*client);
    std::this_thread::sleep_for(milliseconds(10));
  }
  give_up("connect: the daemon does not come up");
}

int soak(const SoakOptions& options) {
  const uint64_t kills_wanted = options.number("--kills", 20);
  std::unique_ptr<Daemon> daemon;
  if (options.text("--what", "worker") == "supervisor") {
    const std::string socket = "/tmp/ovenbird-kill-soak-" + std::to_string(::getpid());
    daemon = std::make_unique<Daemon>(
        std::vector<std::string>{options.text("--program", ""), "serve",
                                 options.text("--bundle", ""), "--device",
                                 options.text("--device", "CPU"), "--recipe",
                                 options.text("--recipe", "balanced"), "--socket", socket},
        socket);
  }
  Client client = connect(options, daemon.get());
  const ovenbird_facts facts = taken(client.facts(), "facts");
  std::vector<Question> all =
      questions(facts.vocabulary, static_cast<uint32_t>(options.number("--tokens", 48)));
  Session session = taken(client.open(), "open");
  for (Question& question : all) question.expected = listen(session, question, nullptr);

  Killer killer(client, daemon.get(), options.number("--seed", 1));
  uint64_t answers = 0, tokens = 0, wrong = 0;
  while (killer.kills() < kills_wanted) {
    const Question& question = all[answers % all.size()];
    // What a slot still holds would be reused: a new session computes all of it.
    Session fresh = taken(client.open(), "open");
    std::atomic<bool> is_over{false};
    std::thread thread([&] { killer.run(is_over, kills_wanted - killer.kills()); });
    const Ids said = listen(fresh, question, &killer);
    is_over.store(true);
    thread.join();
    ++answers;
    tokens += said.size();
    if (said != question.expected) ++wrong;
  }
  const ovenbird_statistics statistics = taken(client.statistics(), "statistics");
  std::printf(
      "%llu kills of the %s, %llu answers, %llu tokens, %llu answers wrong, "
      "%llu restarts seen by the supervisor\n",
      static_cast<unsigned long long>(killer.kills()), daemon ? "supervisor" : "worker",
      static_cast<unsigned long long>(answers), static_cast<unsigned long long>(tokens),
      static_cast<unsigned long long>(wrong), static_cast<unsigned long long>(statistics.restarts));
  return wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace ovenbird

/// --bundle DIR --kills N --what worker|supervisor --engine PATH --program PATH [--device D]
/// [--recipe R] [--tokens N] [--seed N]
int main(int count, char** arguments) {
  return ovenbird::soak(ovenbird::SoakOptions(count, arguments));
}
