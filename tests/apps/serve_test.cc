// A daemon whose worker is on the emulated NPU, from the command line to a client's tokens.
#include <doctest/doctest.h>

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "ovenbird/client.hpp"
#include "program.h"
#include "support/temporary_directory.h"

namespace ovenbird {
namespace {

using Ids = std::vector<int32_t>;

/// What transformers says: a prompt, and the tokens behind it.
struct Greedy {
  Ids prompt;
  Ids answer;
};

Greedy golden_greedy(const std::string& name) {
  std::ifstream file(golden_path(name + "/golden.json"));
  const nlohmann::json greedy = nlohmann::json::parse(file)["greedy"];
  return {.prompt = greedy["prompt_ids"], .answer = greedy["ids"]};
}

/// `ovenbird serve` with a client that has reached it.
class Served {
 public:
  explicit Served(const std::vector<std::string>& environment)
      : socket_((directory_.path() / "socket").string()),
        daemon_({"serve", baked_golden("qwen2"), "--device", "NPU", "--socket", socket_}, "",
                environment) {}

  Client connect() {
    Result<Client> client = Client::connect(socket_);
    while (!client && daemon_.is_running()) {
      std::this_thread::yield();
      client = Client::connect(socket_);
    }
    if (!client) FAIL("no daemon: " << daemon_.wait().err);
    return std::move(*client);
  }

  /// How it ends when it is asked to.
  Finished end() {
    daemon_.send(SIGTERM);
    return daemon_.wait();
  }

 private:
  TemporaryDirectory directory_;
  std::string socket_;
  Program daemon_;
};

struct Case {
  std::string fault;   // of every worker
  std::string device;  // at the end
};

TEST_CASE("serve answers from the emulated NPU, and from the CPU once the NPU is lost") {
  const Greedy greedy = golden_greedy("qwen2");
  for (const Case& tried : {Case{"", "NPU"}, Case{"device-lost@5", "CPU"}}) {
    CAPTURE(tried.fault);
    Served served({"LD_LIBRARY_PATH=" OVENBIRD_NPU_EMULATOR, "NPU_EMULATOR_FAULT=" + tried.fault});
    {
      Client client = served.connect();
      Result<Session> session = client.open();
      REQUIRE(session);
      REQUIRE(session->feed(greedy.prompt));
      const auto tokens_max = static_cast<uint32_t>(greedy.answer.size());
      const Result<Answer> answer = session->answer({.tokens_max = tokens_max, .ignore_end = true});
      if (!answer) FAIL(answer.error().message);
      CHECK(answer->tokens == greedy.answer);
      const Result<ovenbird_statistics> statistics = client.statistics();
      REQUIRE(statistics);
      CHECK(std::string(statistics->device) == tried.device);
    }
    const Finished finished = served.end();
    INFO("standard error: " << finished.err);
    CHECK(finished.exit_code == 0);
    CHECK(finished.err.find("serving") != std::string::npos);
  }
}

}  // namespace
}  // namespace ovenbird
