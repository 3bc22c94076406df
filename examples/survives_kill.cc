// Kills the worker in the middle of an answer. Another one goes on; the text is the same.
#include <signal.h>

#include <iostream>
#include <ovenbird/client.hpp>
#include <string>

#include "must.h"

namespace {

std::string tell(ovenbird::Client& client, bool kills_worker) {
  auto session = must(client.open());
  must(session.feed("The old bird sings", ovenbird::kTextBegins));
  must(session.generate({.tokens_max = 60, .temperature = 0.8f, .seed = 3, .ignore_end = true}));
  std::string text;
  for (bool is_over = false; !is_over;) {
    const ovenbird::Piece piece = must(session.next());
    text += piece.text;
    is_over = piece.is_over;
    if (!kills_worker || text.size() < 40) continue;
    ::kill(static_cast<pid_t>(must(client.statistics()).worker), SIGKILL);
    kills_worker = false;
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::cerr << "usage: survives_kill BUNDLE\n", 2;
  auto client = must(ovenbird::Client::start(argv[1]));
  const std::string undisturbed = tell(client, false);
  const std::string disturbed = tell(client, true);
  std::cout << undisturbed << "\n" << disturbed << "\n";
  std::cout << "workers replaced: " << must(client.statistics()).restarts << "\n";
}
