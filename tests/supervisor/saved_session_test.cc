// Sessions that are saved, loaded and forked: the text goes on as if they had not been; bytes that
// are no saved session are refused.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "supervisor/supervisor_bench.h"
#include "wire/saved_session.h"

namespace ovenbird {
namespace {

using wire::ClientMessage;

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

/// Bytes in memory as a client hands it over.
FileDescriptor sealed(std::span<const std::byte> bytes, int seals = kSeals) {
  FileDescriptor file(::memfd_create("saved", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  REQUIRE(::write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  REQUIRE(::fcntl(file.get(), F_ADD_SEALS, seals) == 0);
  return file;
}

std::vector<std::byte> saved_bytes(RawClient& client, const RawSession& session) {
  wire::Message message = client.ask(ClientMessage::kSave, session.number);
  REQUIRE(message.header.type == static_cast<uint32_t>(ClientMessage::kSaved));
  REQUIRE(message.descriptors.size() == 1);
  const uint64_t bytes = message.body<wire::Saved>()->bytes;
  const Result<SharedMemory> memory =
      SharedMemory::map_sealed(std::move(message.descriptors[0]), bytes);
  REQUIRE(memory);
  REQUIRE(memory->bytes().size() == bytes);
  return {memory->bytes().begin(), memory->bytes().end()};
}

wire::SavedHeader header_of(const std::vector<std::byte>& bytes) {
  wire::SavedHeader header;
  REQUIRE(bytes.size() >= sizeof header);
  std::memcpy(&header, bytes.data(), sizeof header);
  return header;
}

wire::Message load(RawClient& client, const FileDescriptor& file, const wire::Open& how = {}) {
  const int descriptor = file.get();
  return client.ask(ClientMessage::kLoad, 0, how, std::span(&descriptor, 1));
}

/// A session that has said something, saved.
struct Example {
  explicit Example(const FakeBundle& bundle, size_t prompt = 40) : served(fake_options(bundle)) {
    RawSession session = served.client.open();
    const Ask ask{.tokens = some_tokens(prompt, 8), .answer = 30};
    served.client.run(session, ask);
    text = expected_after({}, ask);
    bytes = saved_bytes(served.client, session);
  }
  Served served;
  Ids text;
  std::vector<std::byte> bytes;
};

TEST_CASE("a saved session goes on in another supervisor, with its rows") {
  const FakeBundle bundle;
  for (const size_t prompt : {1, 40, 600}) {  // the longest has lost rows
    CAPTURE(prompt);
    const Example example(bundle, prompt);
    const wire::SavedHeader header = header_of(example.bytes);
    CHECK(header.tokens == example.text.size());
    CHECK(header.computed == example.text.size() - 1);
    CHECK(header.rows == header.computed - header.dropped);
    CHECK((header.dropped > 0) == (prompt == 600));
    CHECK(header.total_bytes == example.bytes.size());
    Served other(fake_options(bundle));
    RawSession session = other.client.opened(load(other.client, sealed(example.bytes)));
    CHECK(session.tokens() == example.text);
    const Ask ask{.keep = header.tokens, .tokens = some_tokens(5, 9), .answer = 30};
    other.client.run(session, ask);
    CHECK(session.tokens() == expected_after(example.text, ask));
    CHECK(session.record.header().result.reused_tokens == header.computed);
    CHECK(other.client.statistics().restarts == 0);
    // What was loaded can be saved again.
    CHECK(header_of(saved_bytes(other.client, session)).tokens == session.tokens().size());
  }
}

TEST_CASE("without a slot that is free, or without rows, a saved session is computed again") {
  const FakeBundle bundle;
  Example example(bundle);  // its session has the only slot
  RawClient& client = example.served.client;
  RawSession session = client.opened(load(client, sealed(example.bytes)));
  const Ask ask{.keep = 60, .answer = 10};
  client.run(session, ask);
  CHECK(session.tokens() == expected_after(example.text, ask));
  CHECK(session.record.header().result.reused_tokens == 0);

  RawSession fed = client.open();
  const Ids tokens = some_tokens(33, 4);
  REQUIRE(client.socket().send(
      {.type = static_cast<uint32_t>(ClientMessage::kFeed), .session = fed.number},
      wire::Feed{.tokens = 33}, std::as_bytes(std::span(tokens))));
  const std::vector<std::byte> bytes = saved_bytes(client, fed);
  CHECK(header_of(bytes).rows == 0);
  CHECK(bytes.size() == sizeof(wire::SavedHeader) + 33 * sizeof(int32_t));
  RawSession loaded = client.opened(load(client, sealed(bytes)));
  CHECK(loaded.tokens() == tokens);
  const Ask more{.keep = 33, .answer = 10};
  client.run(loaded, more);
  CHECK(loaded.tokens() == expected_after(tokens, more));
}

TEST_CASE("an empty session is saved and loaded too") {
  const FakeBundle bundle;
  Served served(fake_options(bundle));
  const RawSession session = served.client.open();
  const std::vector<std::byte> bytes = saved_bytes(served.client, session);
  RawSession loaded = served.client.opened(load(served.client, sealed(bytes)));
  CHECK(loaded.tokens().empty());
  const Ask ask{.tokens = some_tokens(5, 1)};
  served.client.run(loaded, ask);
  CHECK(loaded.tokens() == expected_after({}, ask));
}

TEST_CASE("a session that is loaded while a worker is being replaced keeps its text") {
  const FakeBundle bundle;
  const Example example(bundle);
  const Orders orders("hang at start times=1");
  SupervisorOptions options = fake_options(bundle);
  options.deadlines.start = std::chrono::milliseconds(100);
  Served other(options);
  RawSession session = other.client.opened(load(other.client, sealed(example.bytes)));
  const Ask ask{.keep = 70, .answer = 10};
  other.client.run(session, ask);
  CHECK(session.tokens() == expected_after(example.text, ask));
  CHECK(session.record.header().result.reused_tokens == 69);
}

TEST_CASE("memory that could still change is refused") {
  const FakeBundle bundle;
  Example example(bundle);
  RawClient& client = example.served.client;
  const uint32_t before = client.statistics().sessions;
  const auto refusal_of = [&](const FileDescriptor& file) {
    return client.refusal_of(load(client, file));
  };
  for (const int seals :
       {0, F_SEAL_WRITE, F_SEAL_WRITE | F_SEAL_SHRINK, F_SEAL_SHRINK | F_SEAL_GROW}) {
    CHECK(refusal_of(sealed(example.bytes, seals)).message.find("sealed") != std::string::npos);
  }
  RawClient others = example.served.connect();
  CHECK(others.refusal_of(others.ask(ClientMessage::kLoad, 0, wire::Open{})).code ==
        Code::kInvalidArgument);
  CHECK(client.statistics().sessions == before);
}

TEST_CASE("bytes that are no saved session of this bundle are refused, whatever is wrong") {
  const FakeBundle bundle;
  Example example(bundle);
  const size_t header_bytes = sizeof(wire::SavedHeader);
  std::vector<std::vector<std::byte>> spoiled;
  for (size_t size = 1; size < header_bytes + 8; ++size) {
    spoiled.emplace_back(example.bytes.begin(),
                         example.bytes.begin() + static_cast<ptrdiff_t>(size));
  }
  spoiled.emplace_back(example.bytes.begin(), example.bytes.end() - 1);
  spoiled.push_back(example.bytes);
  spoiled.back().push_back(std::byte{0});
  const auto with_word = [&](size_t offset, uint32_t value) {
    spoiled.push_back(example.bytes);
    std::memcpy(spoiled.back().data() + offset, &value, sizeof value);
  };
  for (const uint32_t value : {0u, 1u, 0x7fff'ffffu, 0x8000'0000u, 0xffff'ffffu}) {
    with_word(offsetof(wire::SavedHeader, magic), value);
    with_word(offsetof(wire::SavedHeader, model), value);
    with_word(offsetof(wire::SavedHeader, tokens), value);
    with_word(offsetof(wire::SavedHeader, computed), value);
    with_word(offsetof(wire::SavedHeader, rows), value);
    with_word(offsetof(wire::SavedHeader, tensors), value);
    with_word(offsetof(wire::SavedHeader, kv_heads), value);
    with_word(offsetof(wire::SavedHeader, row_bytes), value);
  }
  with_word(offsetof(wire::SavedHeader, version), wire::kWireVersion + 1);
  with_word(offsetof(wire::SavedHeader, dropped), 1);
  with_word(offsetof(wire::SavedHeader, dropped), 0xffff'ffffu);
  with_word(header_bytes, kVocabulary);  // a token
  with_word(header_bytes, 0xffff'ffffu);
  RawClient& client = example.served.client;
  for (size_t i = 0; i < spoiled.size(); ++i) {
    CAPTURE(i);
    CHECK(client.refusal_of(load(client, sealed(spoiled[i]))).message.size() > 20);
  }
  CHECK(client.statistics().sessions == 1);
  CHECK(client.refusal_of(load(client, sealed(example.bytes), {.tokens_max = 69})).code ==
        Code::kInvalidArgument);
  CHECK(client.statistics().sessions == 1);
}

TEST_CASE("rows that are nonsense hurt the session that they came with, and no other") {
  const FakeBundle bundle;
  Example example(bundle);
  std::mt19937 random(5);
  for (size_t i = sizeof(wire::SavedHeader) + example.text.size() * sizeof(int32_t);
       i < example.bytes.size(); ++i) {
    example.bytes[i] = static_cast<std::byte>(random());
  }
  SupervisorOptions options = fake_options(bundle);
  options.slots = 2;
  Served other(options);
  RawSession broken = other.client.opened(load(other.client, sealed(example.bytes)));
  RawSession session = other.client.open();
  const Ask ask{.tokens = some_tokens(50, 2), .answer = 60};
  other.client.begin(broken, {.keep = 70, .answer = 10});
  other.client.begin(session, ask);
  wait_for_turn(broken);
  wait_for_turn(session);
  CHECK(session.tokens() == expected_after({}, ask));
  // A worker that finds no sense in rows ends; so do its successors, until the turn is given up.
  CHECK(broken.finish() == wire::Finish::kFailed);
  CHECK(broken.tokens() == example.text);
}

TEST_CASE("a fork begins with all that its parent has said, and both go on by themselves") {
  const FakeBundle bundle;
  SupervisorOptions options = fake_options(bundle);
  options.slots = 2;
  Served served(options);
  RawClient& client = served.client;
  RawSession parent = client.open(0, 500);
  const Ask ask{.tokens = some_tokens(40, 8), .answer = 30};
  client.run(parent, ask);
  const Ids text = expected_after({}, ask);
  RawSession child = client.opened(client.ask(ClientMessage::kFork, parent.number, wire::Open{}));
  CHECK(child.record.shape().tokens_max == 500);
  CHECK(child.tokens() == text);
  const Ask of_parent{.keep = 70, .tokens = {1, 2}, .answer = 20};
  const Ask of_child{.keep = 65, .tokens = {3}, .answer = 20, .flags = wire::kSharePrefix};
  client.begin(parent, of_parent);
  client.begin(child, of_child);
  wait_for_turn(parent);
  wait_for_turn(child);
  CHECK(parent.tokens() == expected_after(text, of_parent));
  CHECK(child.tokens() == expected_after(text, of_child));
  CHECK(child.record.header().result.reused_tokens > 0);
  CHECK(
      client
          .refusal_of(client.ask(ClientMessage::kFork, parent.number, wire::Open{.tokens_max = 10}))
          .code == Code::kInvalidArgument);
  CHECK(client.statistics().sessions == 2);
}

}  // namespace
}  // namespace ovenbird
