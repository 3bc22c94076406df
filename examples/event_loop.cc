// One thread, no waiting in the library: poll() says which of two sessions has something new.
#include <poll.h>

#include <array>
#include <iostream>
#include <ovenbird/client.hpp>
#include <string>

#include "must.h"

int main(int argc, char** argv) {
  if (argc != 2) return std::cerr << "usage: event_loop BUNDLE\n", 2;
  auto client = must(ovenbird::Client::start(argv[1], {.slots = 2}));
  std::array sessions{must(client.open({.pollable = true})), must(client.open({.pollable = true}))};
  const std::array<std::string, 2> beginnings{"The old bird", "The warm bread"};
  std::array<std::string, 2> texts = beginnings;
  std::array<pollfd, 2> watched{};  // a program's own descriptors stand beside these
  for (size_t i = 0; i < 2; ++i) {
    must(sessions[i].feed(beginnings[i], ovenbird::kTextBegins));
    must(sessions[i].generate({.tokens_max = 12}));
    watched[i] = {.fd = must(sessions[i].descriptor()), .events = POLLIN, .revents = 0};
  }
  for (int under_way = 2; under_way > 0;) {
    ::poll(watched.data(), watched.size(), -1);
    for (size_t i = 0; i < 2; ++i) {
      if (watched[i].revents == 0) continue;
      const ovenbird::Piece piece = must(sessions[i].poll());  // takes what is there
      texts[i] += piece.text;
      if (!piece.is_over) continue;
      watched[i].fd = -1;  // poll() passes over it
      --under_way;
    }
  }
  for (const std::string& text : texts) std::cout << text << "\n";
}
