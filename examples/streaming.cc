// Prints an answer as it comes, until the model ends it or says a word that we do not want to hear.
#include <iostream>
#include <ovenbird/client.hpp>

#include "must.h"

int main(int argc, char** argv) {
  if (argc != 2) return std::cerr << "usage: streaming BUNDLE\n", 2;
  auto client = must(ovenbird::Client::start(argv[1]));
  auto session = must(client.open());

  // Text that is continued as it is, without a chat template.
  must(session.feed("The old bird sings", ovenbird::kTextBegins));
  must(session.generate({.tokens_max = 200, .temperature = 0.8f, .seed = 7, .stops = {" sleeps"}}));

  std::cout << "The old bird sings";
  for (bool is_over = false; !is_over;) {
    const ovenbird::Piece piece = must(session.next());  // waits for at least one token
    std::cout << piece.text << std::flush;               // whole characters, never taken back
    is_over = piece.is_over;
    if (is_over) std::cout << "\n(" << ovenbird::name_of(piece.finish) << ")\n";
  }

  const ovenbird_answer counts = must(session.last_answer());
  std::cerr << counts.said_tokens << " tokens, the first after " << counts.first_token_ms
            << " ms, then " << counts.tokens_per_second << " a second\n";
}
