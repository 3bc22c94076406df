// The example bundle, the fake worker, and the program `ovenbird`.
#include "client/clients.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "fakes/fake_text.h"

namespace ovenbird {
namespace {

constexpr uint32_t kVocabulary = 64;  // of the example bundle

}  // namespace

Client start_client(StartOptions options) {
  options.engine = OVENBIRD_FAKE_WORKER;
  options.device = "CPU";
  return taken(Client::start(OVENBIRD_EXAMPLE_BUNDLE, options));
}

Daemon::Daemon() {
  static int daemons = 0;
  socket_ = (std::filesystem::temp_directory_path() /
             ("ovenbird-client-" + std::to_string(::getpid()) + "-" + std::to_string(++daemons)))
                .string();
  start();
}

Daemon::~Daemon() {
  // Drained, it takes its names with it.
  ::kill(process_, SIGTERM);
  ::waitpid(process_, nullptr, 0);
}

void Daemon::start() {
  process_ = ::fork();
  REQUIRE(process_ >= 0);
  if (process_ != 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::setenv("OVENBIRD_ENGINE", OVENBIRD_FAKE_WORKER, 1);
  ::execl(OVENBIRD_PROGRAM, OVENBIRD_PROGRAM, "serve", OVENBIRD_EXAMPLE_BUNDLE, "--device", "CPU",
          "--slots", "2", "--socket", socket_.c_str(), nullptr);
  ::_exit(127);
}

void Daemon::kill() {
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

Client Daemon::connect() const {
  for (int attempt = 0; attempt < 2000; ++attempt) {
    Result<Client> client = Client::connect(socket_);
    if (client) return std::move(*client);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  FAIL("the daemon does not come up");
  std::abort();
}

Ids prompt_of(size_t tokens) {
  Ids ids;
  for (size_t i = 0; i < tokens; ++i) ids.push_back(static_cast<int32_t>(4 + i * 7 % 60));
  return ids;
}

Ids answer_to(const Ids& prompt, uint32_t count) {
  const wire::Turn turn{.answer_tokens_max = count};
  const Ids all = fake_conversation(prompt, turn, kVocabulary);
  return {all.begin() + static_cast<ptrdiff_t>(prompt.size()), all.end()};
}

GenerateOptions answer_of(uint32_t tokens) { return {.tokens_max = tokens, .ignore_end = true}; }

Ids rest_of(Session& session) {
  Ids said;
  while (true) {
    const Piece piece = taken(session.next());
    said.insert(said.end(), piece.tokens.begin(), piece.tokens.end());
    if (piece.is_over) return said;
  }
}

}  // namespace ovenbird
