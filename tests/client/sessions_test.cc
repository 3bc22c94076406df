// Sessions over fake workers: conversations, answers, threads, forks and files.
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include <doctest/doctest.h>

#include "client/clients.h"
#include "support/temporary_directory.h"

namespace ovenbird {
namespace {

bool is_readable(int descriptor, int within_ms = 0) {
  pollfd wanted{.fd = descriptor, .events = POLLIN, .revents = 0};
  return ::poll(&wanted, 1, within_ms) == 1;
}

Ids all_of(const Session& session) {
  const auto tokens = taken(session.tokens());
  return {tokens.begin(), tokens.end()};
}

TEST_CASE("an answer comes to the end and is part of the conversation") {
  Client client = start_client();
  Session session = taken(client.open());
  const Ids prompt = prompt_of(40);
  must(session.set_conversation(prompt));
  const Answer answer = taken(session.answer(answer_of(20)));
  CHECK(answer.tokens == answer_to(prompt, 20));
  CHECK(answer.finish == FinishReason::kLength);
  CHECK(answer.counts.said_tokens == 20);
  CHECK(answer.counts.prompt_tokens == 40);
  CHECK(answer.text == taken(client.detokenize(answer.tokens)));
  Ids both = prompt;
  both.insert(both.end(), answer.tokens.begin(), answer.tokens.end());
  CHECK(all_of(session) == both);
  // It goes on where it was; and from an earlier place it says the same again.
  must(session.generate(answer_of(7)));
  CHECK(rest_of(session) == answer_to(both, 7));
  must(session.rewind(40));
  must(session.generate(answer_of(20)));
  CHECK(rest_of(session) == answer.tokens);
}

TEST_CASE("a stop string ends an answer, and what was computed behind it counts for nothing") {
  Client client = start_client();
  Session session = taken(client.open());
  const Ids prompt = prompt_of(30);
  must(session.set_conversation(prompt));
  const Ids whole = answer_to(prompt, 40);
  // The text of two of its tokens, which stand where nothing like it stands before.
  const std::string text = taken(client.detokenize(whole));
  const std::string stop = taken(client.detokenize(Ids{whole[12], whole[13]}));
  const size_t begin = text.find(stop);
  REQUIRE(begin != std::string::npos);
  GenerateOptions options = answer_of(40);
  options.stops = {"not a word of these", stop};
  const Answer answer = taken(session.answer(options));
  CHECK(answer.finish == FinishReason::kStop);
  CHECK(answer.text == text.substr(0, begin));
  CHECK(answer.tokens ==
        Ids(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(answer.tokens.size())));
  CHECK(answer.counts.said_tokens == answer.tokens.size());
  // The session is free, and goes on behind what it gave.
  Ids conversation = prompt;
  conversation.insert(conversation.end(), answer.tokens.begin(), answer.tokens.end());
  CHECK(all_of(session) == conversation);
  must(session.generate(answer_of(5)));
  CHECK(rest_of(session) == answer_to(conversation, 5));
}

TEST_CASE("many sessions on many threads: everybody is told what was said to him") {
  Client client = start_client({.slots = 3, .sessions = 16});
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (size_t index = 0; index < 8; ++index) {
    threads.emplace_back([&, index] {
      Session session = taken(client.open());
      for (size_t turn = 0; turn < 12; ++turn) {
        const Ids prompt = prompt_of(1 + index * 9 + turn);
        must(session.set_conversation(prompt));
        must(session.generate(answer_of(9)));
        if (rest_of(session) != answer_to(prompt, 9)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("another thread cancels, and the session is free again") {
  const Orders orders("slow=2000");
  Client client = start_client();
  Session session = taken(client.open());
  const Ids prompt = prompt_of(10);
  must(session.set_conversation(prompt));
  must(session.cancel());  // without a turn: nothing
  must(session.generate(answer_of(450)));
  std::thread other([&] { must(session.cancel()); });
  Ids said;
  FinishReason finish = FinishReason::kNone;
  while (finish == FinishReason::kNone) {
    const Piece piece = taken(session.next());
    said.insert(said.end(), piece.tokens.begin(), piece.tokens.end());
    finish = piece.finish;
  }
  other.join();
  CHECK(finish == FinishReason::kCancelled);
  CHECK(said.size() < 450);
  CHECK(said == answer_to(prompt, static_cast<uint32_t>(said.size())));
  must(session.set_conversation(prompt));
  must(session.generate(answer_of(4)));
  CHECK(rest_of(session) == answer_to(prompt, 4));
}

TEST_CASE("a descriptor is readable when there is something, and quiet when it has been taken") {
  const Orders orders("slow=1000");
  Client client = start_client();
  Session session = taken(client.open({.pollable = true}));
  const int descriptor = taken(session.descriptor());
  must(session.set_conversation(prompt_of(10)));
  must(session.generate(answer_of(30)));
  Ids said;
  bool is_over = false;
  while (!is_over) {
    REQUIRE(is_readable(descriptor, 10'000));
    const Piece piece = taken(session.poll());
    said.insert(said.end(), piece.tokens.begin(), piece.tokens.end());
    is_over = piece.is_over;
  }
  CHECK(said == answer_to(prompt_of(10), 30));
  // Whatever has come beside the end is taken by looking once more.
  taken(session.poll());
  CHECK_FALSE(is_readable(descriptor, 50));
}

TEST_CASE("a fork has the same past and another future") {
  Client client = start_client({.slots = 2});
  Session session = taken(client.open());
  const Ids prompt = prompt_of(50);
  must(session.set_conversation(prompt));
  Ids both = prompt;
  const Ids said = taken(session.answer(answer_of(10))).tokens;
  both.insert(both.end(), said.begin(), said.end());
  Session child = taken(session.fork());
  CHECK(all_of(child) == both);
  Ids other = both;
  other.push_back(5);
  must(child.feed(Ids{5}));
  must(child.generate(answer_of(6)));
  must(session.generate(answer_of(6)));
  CHECK(rest_of(child) == answer_to(other, 6));
  CHECK(rest_of(session) == answer_to(both, 6));
  CHECK(taken(child.last_answer()).reused_tokens >= 50);
}

TEST_CASE("a session is saved and loaded, and a damaged file is refused") {
  const TemporaryDirectory directory;
  const std::string path = (directory.path() / "session").string();
  const Ids prompt = prompt_of(60);
  {
    Client client = start_client();
    Session session = taken(client.open());
    must(session.set_conversation(prompt));
    must(session.compute());
    must(session.feed(Ids{7}));  // is not in the record yet
    must(session.save(path));
  }
  Client client = start_client();
  Session session = taken(client.load(path));
  Ids conversation = prompt;
  conversation.push_back(7);
  CHECK(all_of(session) == conversation);
  must(session.generate(answer_of(8)));
  CHECK(rest_of(session) == answer_to(conversation, 8));
  CHECK(taken(session.last_answer()).reused_tokens >= 59);

  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-3, std::ios::end);
  file.put('!');
  file.close();
  const Result<Session> damaged = client.load(path);
  REQUIRE_FALSE(damaged);
  CHECK(damaged.error().code == Code::kCorrupt);
  CHECK(damaged.error().message.find(path) != std::string::npos);
  CHECK_FALSE(session.save((directory.path() / "no/such/place").string()));
}

TEST_CASE("logits are seen where they lie, and it is known when they are others") {
  Client client = start_client();
  Session session = taken(client.open({.logits = true}));
  must(session.set_conversation(prompt_of(12)));
  must(session.compute(1));
  const ovenbird_logits before = taken(session.logits());
  const auto newest = taken(session.newest_logits());
  REQUIRE(newest.size() == 64);
  const auto best = std::max_element(newest.begin(), newest.end()) - newest.begin();
  CHECK(best == answer_to(prompt_of(12), 1)[0]);
  CHECK(taken(session.are_valid(before)));
  must(session.feed(Ids{9}));
  must(session.compute(1));
  CHECK_FALSE(taken(session.are_valid(before)));
  Session plain = taken(client.open());
  must(plain.set_conversation(prompt_of(3)));
  const Status refused = plain.compute(1);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::kUnsupported);
}

}  // namespace
}  // namespace ovenbird
