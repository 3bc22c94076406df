// What the C interface does with callers that get it wrong.
#include <cstring>
#include <limits>
#include <string>
#include <thread>

#include <doctest/doctest.h>

#include "client/clients.h"

namespace ovenbird {
namespace {

bool last_error_has(const char* part) {
  return std::strstr(ovenbird_last_error(), part) != nullptr;
}

TEST_CASE("null where none may be is refused by every function, and crashes none") {
  const Client client = start_client();
  ovenbird_client* const no_client = nullptr;
  ovenbird_session* const no_session = nullptr;
  auto piece = detail::sized<ovenbird_piece>();
  auto logits = detail::sized<ovenbird_logits>();
  auto answer = detail::sized<ovenbird_answer>();
  uint32_t valid = 0;
  int descriptor = 0;
  const ovenbird_status statuses[] = {
      ovenbird_start(nullptr, nullptr, nullptr),
      ovenbird_connect("/nowhere", nullptr),
      ovenbird_wait_ready(no_client, 0),
      ovenbird_get_facts(client.handle(), nullptr),
      ovenbird_get_statistics(client.handle(), nullptr),
      ovenbird_tokenize(client.handle(), nullptr, 5, 0, nullptr, nullptr),
      ovenbird_detokenize(client.handle(), nullptr, 1, nullptr, nullptr),
      ovenbird_chat(client.handle(), nullptr, 1, nullptr, nullptr, nullptr),
      ovenbird_open(client.handle(), nullptr, nullptr),
      ovenbird_load(client.handle(), nullptr, nullptr, nullptr),
      ovenbird_feed_text(no_session, "a", 1, 0),
      ovenbird_feed(no_session, nullptr, 0),
      ovenbird_rewind(no_session, 0),
      ovenbird_set_conversation(no_session, nullptr, 0),
      ovenbird_get_tokens(no_session, nullptr, nullptr),
      ovenbird_generate(no_session, nullptr),
      ovenbird_next(no_session, 0, &piece),
      ovenbird_poll(no_session, &piece),
      ovenbird_cancel(no_session),
      ovenbird_descriptor(no_session, &descriptor),
      ovenbird_compute(no_session, 0),
      ovenbird_get_logits(no_session, &logits),
      ovenbird_are_logits_valid(no_session, &logits, &valid),
      ovenbird_get_answer(no_session, &answer),
      ovenbird_fork(no_session, nullptr, nullptr),
      ovenbird_save(no_session, "file")};
  for (const ovenbird_status status : statuses) CHECK(status == OVENBIRD_INVALID_ARGUMENT);
  ovenbird_close(nullptr);
  ovenbird_session_close(nullptr);
  ovenbird_free(nullptr);
}

TEST_CASE("structs of other releases: what is not known must be zero, and sizes must be sizes") {
  const Client client = start_client();
  struct Longer {
    ovenbird_session_options known;
    uint64_t of_a_later_release;
  } longer{};
  longer.known.bytes = sizeof longer;
  ovenbird_session* session = nullptr;
  REQUIRE(ovenbird_open(client.handle(), &longer.known, &session) == OVENBIRD_OK);
  ovenbird_session_close(session);
  session = nullptr;
  longer.of_a_later_release = 1;
  CHECK(ovenbird_open(client.handle(), &longer.known, &session) == OVENBIRD_INVALID_ARGUMENT);
  CHECK(last_error_has("does not know"));

  ovenbird_session_options wrong{};
  for (const uint32_t bytes : {0u, 3u, 4097u, std::numeric_limits<uint32_t>::max()}) {
    wrong.bytes = bytes;
    CHECK(ovenbird_open(client.handle(), &wrong, &session) == OVENBIRD_INVALID_ARGUMENT);
    CHECK(last_error_has(std::to_string(bytes).c_str()));
  }
  CHECK(session == nullptr);
  // A shorter one, of an earlier release.
  wrong.bytes = offsetof(ovenbird_session_options, pollable);
  wrong.pollable = 77;  // as this program sees it, behind the struct
  REQUIRE(ovenbird_open(client.handle(), &wrong, &session) == OVENBIRD_OK);
  int descriptor = -1;
  CHECK(ovenbird_descriptor(session, &descriptor) == OVENBIRD_UNSUPPORTED);
  ovenbird_session_close(session);

  ovenbird_facts facts{};
  facts.bytes = offsetof(ovenbird_facts, context);
  facts.context = 12345;
  REQUIRE(ovenbird_get_facts(client.handle(), &facts) == OVENBIRD_OK);
  CHECK(facts.vocabulary == 64);
  CHECK(facts.context == 12345);
}

TEST_CASE("a piece without a place for it stays in the session") {
  Client client = start_client();
  Session session = taken(client.open());
  const Ids prompt = prompt_of(5);
  must(session.set_conversation(prompt));
  must(session.generate(answer_of(3)));
  for (int i = 0; i < 20; ++i) {
    CHECK(ovenbird_next(session.handle(), 5, nullptr) == OVENBIRD_INVALID_ARGUMENT);
  }
  CHECK(rest_of(session) == answer_to(prompt, 3));
}

TEST_CASE("options out of range are refused by name") {
  Client client = start_client();
  Session session = taken(client.open());
  must(session.set_conversation(prompt_of(5)));
  GenerateOptions twice = answer_of(3);
  twice.logit_bias = {{.token = 9, .value = 1}, {.token = 9, .value = 2}};
  const Status refused = session.generate(twice);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::kInvalidArgument);
  CHECK(refused.error().message.find("token 9") != std::string::npos);
  const Status hot = session.generate({.temperature = -1});
  REQUIRE_FALSE(hot);
  CHECK(hot.error().message.find("temperature") != std::string::npos);
  CHECK_FALSE(session.feed("a", 1u << 31));
  CHECK_FALSE(session.feed(Ids{64}));
  CHECK_FALSE(session.feed(Ids{-1}));
  CHECK_FALSE(session.rewind(6));
  CHECK(taken(session.tokens()).size() == 5);
  CHECK(ovenbird_feed_text(session.handle(), nullptr, 0, 0) == OVENBIRD_OK);
}

TEST_CASE("the last error is the calling thread's, and stays until its next one") {
  CHECK(ovenbird_rewind(nullptr, 0) == OVENBIRD_INVALID_ARGUMENT);
  const std::string mine = ovenbird_last_error();
  std::thread([&] {
    CHECK(std::string(ovenbird_last_error()).empty());
    const std::string long_name(5000, 'x');
    ovenbird_client* client = nullptr;
    CHECK(ovenbird_connect(long_name.c_str(), &client) != OVENBIRD_OK);
    CHECK(std::strlen(ovenbird_last_error()) < 1024);
    CHECK(client == nullptr);
  }).join();
  CHECK(mine == ovenbird_last_error());
}

TEST_CASE("what is not there is said before anything is started") {
  ovenbird_client* client = nullptr;
  auto options = detail::sized<ovenbird_start_options>();
  options.engine = "/nowhere/ovenbird-engine";
  CHECK(ovenbird_start(OVENBIRD_EXAMPLE_BUNDLE, &options, &client) == OVENBIRD_NOT_FOUND);
  CHECK(last_error_has("/nowhere/ovenbird-engine"));
  options.engine = OVENBIRD_FAKE_WORKER;
  CHECK(ovenbird_start("/nowhere", &options, &client) == OVENBIRD_NOT_FOUND);
  CHECK(ovenbird_connect("/nowhere/socket", &client) == OVENBIRD_NOT_FOUND);
  CHECK(client == nullptr);
}

}  // namespace
}  // namespace ovenbird
