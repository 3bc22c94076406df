// Clients of a daemon that is killed.
#include <poll.h>

#include <thread>

#include <doctest/doctest.h>

#include "client/clients.h"
#include "support/temporary_directory.h"

namespace ovenbird {
namespace {

TEST_CASE("the daemon is killed in the middle of an answer, and the answer goes on") {
  const Orders orders("slow=1500");
  Daemon daemon;
  Client client = daemon.connect();
  Session session = taken(client.open({.pollable = true}));
  const Ids prompt = prompt_of(20);
  must(session.set_conversation(prompt));
  must(session.generate(answer_of(60)));
  Ids said;
  bool is_over = false;
  bool was_killed = false;
  while (!is_over) {
    const Piece piece = taken(session.next());
    said.insert(said.end(), piece.tokens.begin(), piece.tokens.end());
    is_over = piece.is_over;
    if (said.size() < 10 || was_killed) continue;
    daemon.kill();
    daemon.start();
    was_killed = true;
  }
  REQUIRE(was_killed);
  CHECK(said == answer_to(prompt, 60));
}

TEST_CASE("between two turns the daemon is replaced: nobody who polls is kept awake by it") {
  Daemon daemon;
  Client client = daemon.connect();
  Session session = taken(client.open({.pollable = true}));
  const Ids prompt = prompt_of(20);
  must(session.set_conversation(prompt));
  must(session.generate(answer_of(5)));
  rest_of(session);
  daemon.kill();
  daemon.start();
  const Client second = daemon.connect();  // it is there again
  pollfd wanted{.fd = taken(session.descriptor()), .events = POLLIN, .revents = 0};
  int looks = 0;
  while (::poll(&wanted, 1, 300) == 1) {
    taken(session.poll());
    REQUIRE(++looks < 200);
  }
  CHECK(looks > 0);
  must(session.set_conversation(prompt));
  must(session.generate(answer_of(5)));
  CHECK(rest_of(session) == answer_to(prompt, 5));
}

TEST_CASE("what was fed and not handed over yet is saved, also by the daemon that comes after") {
  const TemporaryDirectory directory;
  const std::string path = (directory.path() / "session").string();
  Daemon daemon;
  Client client = daemon.connect();
  Session session = taken(client.open());
  Ids conversation = prompt_of(20);
  must(session.set_conversation(conversation));
  must(session.compute());
  must(session.feed(Ids{8, 9}));
  conversation.insert(conversation.end(), {8, 9});
  daemon.kill();
  daemon.start();
  must(session.save(path));
  Session loaded = taken(client.load(path));
  const auto tokens = taken(loaded.tokens());
  CHECK(Ids(tokens.begin(), tokens.end()) == conversation);
}

}  // namespace
}  // namespace ovenbird
