// Chooses every token itself: the best one that has not been said yet. The logits are read where
// the worker wrote them, in shared memory.
#include <iostream>
#include <ovenbird/client.hpp>
#include <vector>

#include "must.h"

int main(int argc, char** argv) {
  if (argc != 2) return std::cerr << "usage: own_sampler BUNDLE\n", 2;
  auto client = must(ovenbird::Client::start(argv[1]));
  auto session = must(client.open({.logits = true}));
  must(session.feed("bird", ovenbird::kTextBegins));

  std::vector<bool> is_said(must(client.facts()).vocabulary);
  std::vector<int32_t> answer;
  while (answer.size() < 16) {
    must(session.compute(1));  // the logits of the newest token
    const std::span<const float> logits = must(session.newest_logits());
    size_t best = 0;
    for (size_t id = 0; id < logits.size(); ++id) {
      if (is_said[best] || (!is_said[id] && logits[id] > logits[best])) best = id;
    }
    is_said[best] = true;
    answer.push_back(static_cast<int32_t>(best));
    must(session.feed(std::span(&answer.back(), 1)));
  }
  std::cout << must(client.detokenize(answer)) << "\n";
}
