// Asks a model one thing and prints its answer. Everything that may fail gives a Result.
#include <iostream>
#include <ovenbird/client.hpp>

namespace {

int failed(const ovenbird::Error& error) {
  std::cerr << error.message << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return failed({ovenbird::Code::kInvalidArgument, "usage: hello BUNDLE"});

  // The model is computed by a worker process; a thread of this program starts and watches it.
  auto client = ovenbird::Client::start(argv[1]);
  if (!client) return failed(client.error());

  // The model's own chat template makes the tokens of a conversation.
  const ovenbird::Message messages[] = {{"user", "Who sings over the warm bread?"}};
  const auto prompt = client->chat(messages);
  if (!prompt) return failed(prompt.error());

  auto session = client->open();
  if (!session) return failed(session.error());
  if (const auto set = session->set_conversation(*prompt); !set) return failed(set.error());

  const auto answer = session->answer({.tokens_max = 40});
  if (!answer) return failed(answer.error());
  std::cout << answer->text << "\n";
}
