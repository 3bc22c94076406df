// The tokens of a session on the client's side.
#include "client/conversation.h"

#include <doctest/doctest.h>

namespace ovenbird::client {
namespace {

using Ids = std::vector<int32_t>;

TEST_CASE("what stands in the record only ever becomes shorter by a change") {
  Conversation conversation(100, 10);
  REQUIRE(conversation.feed(Ids{1, 2, 3}));
  CHECK(conversation.standing() == 0);
  conversation.stands();
  CHECK(conversation.standing() == 3);
  REQUIRE(conversation.feed(Ids{4}));
  CHECK(conversation.standing() == 3);
  REQUIRE(conversation.set(Ids{1, 2, 9, 4, 5}));
  CHECK(conversation.standing() == 2);
  CHECK(conversation.tokens() == Ids{1, 2, 9, 4, 5});
  REQUIRE(conversation.set(conversation.tokens()));
  CHECK(conversation.tokens() == Ids{1, 2, 9, 4, 5});
  REQUIRE(conversation.rewind(1));
  CHECK(conversation.standing() == 1);
}

TEST_CASE("what is refused changes nothing") {
  Conversation conversation(100, 4);
  REQUIRE(conversation.feed(Ids{1, 2, 3}));
  CHECK_FALSE(conversation.feed(Ids{4, 5}));
  CHECK_FALSE(conversation.feed(Ids{100}));
  CHECK_FALSE(conversation.set(Ids{1, -1}));
  CHECK_FALSE(conversation.rewind(4));
  CHECK(conversation.tokens() == Ids{1, 2, 3});
}

TEST_CASE("an answer goes on with a text, or begins one behind the tokens of a chat") {
  Conversation conversation(100, 100);
  CHECK_FALSE(conversation.ends_in_text());
  REQUIRE(conversation.feed_text(Ids{1, 2}));
  CHECK(conversation.ends_in_text());
  REQUIRE(conversation.rewind(1));
  CHECK(conversation.ends_in_text());
  REQUIRE(conversation.feed(Ids{3, 4}));
  CHECK_FALSE(conversation.ends_in_text());
  REQUIRE(conversation.feed_text(Ids{5, 6}));  // an answer
  CHECK(conversation.ends_in_text());
  Conversation fork(100, 100);
  REQUIRE(fork.feed_all_of(conversation));
  CHECK(fork.tokens() == conversation.tokens());
  CHECK(fork.ends_in_text());
  REQUIRE(conversation.rewind(3));  // the answer is made once more
  CHECK_FALSE(conversation.ends_in_text());
  REQUIRE(conversation.set(Ids{1, 3, 4, 7}));
  CHECK_FALSE(conversation.ends_in_text());
}

}  // namespace
}  // namespace ovenbird::client
