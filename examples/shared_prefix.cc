// Two sessions begin with the same long text. The second one copies what the first has computed.
#include <iostream>
#include <ovenbird/client.hpp>
#include <string>

#include "must.h"

namespace {

std::string page() {
  std::string text;
  for (int line = 0; line < 20; ++line) text += " the quiet baker and the bird sing";
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::cerr << "usage: shared_prefix BUNDLE\n", 2;
  auto client = must(ovenbird::Client::start(argv[1], {.slots = 2}));  // both are held at once
  ovenbird::Session sessions[] = {must(client.open()), must(client.open())};
  const char* questions[] = {" who is old", " who is quiet"};

  for (int i = 0; i < 2; ++i) {
    must(sessions[i].feed(page(), ovenbird::kTextBegins));
    must(sessions[i].feed(questions[i]));
    const auto answer = must(sessions[i].answer({.tokens_max = 12, .share_prefix = true}));
    std::cout << questions[i] << answer.text << "\n  " << answer.counts.reused_tokens << " of "
              << answer.counts.prompt_tokens << " tokens were computed already\n";
  }
}
