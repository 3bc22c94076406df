// Another thread ends a long answer. The conversation goes on from what had been said.
#include <iostream>
#include <ovenbird/client.hpp>
#include <thread>

#include "must.h"

int main(int argc, char** argv) {
  if (argc != 2) return std::cerr << "usage: cancel BUNDLE\n", 2;
  auto client = must(ovenbird::Client::start(argv[1]));
  auto session = must(client.open());
  must(session.feed("The old bird sings", ovenbird::kTextBegins));
  const size_t prompt_tokens = must(session.tokens()).size();

  must(session.generate({.ignore_end = true}));  // as long as there is room in the session
  must(session.next());
  std::thread other([&] { must(session.cancel()); });  // the one call that any thread may make
  ovenbird::Piece piece;
  while (!piece.is_over) piece = must(session.next());
  other.join();
  std::cout << "the long answer: " << ovenbird::name_of(piece.finish) << "\n";

  must(session.rewind(prompt_tokens));  // nothing that was computed for the prompt is lost
  std::cout << "a short one:" << must(session.answer({.tokens_max = 8})).text << "\n";
}
