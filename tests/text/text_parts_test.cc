// The parts of a tokenizer on their own: UTF-8, regular expressions, streams, limits.
#include <string>
#include <thread>

#include <doctest/doctest.h>
#include "golden_strings.h"
#include "text/bounded_memory.h"
#include "text/byte_alphabet.h"
#include "text/pattern.h"
#include "text/stream_decoder.h"
#include "text/utf8.h"

namespace ovenbird {
namespace {

Tokenizer small_tokenizer(const std::string& name) {
  auto spec = tokenizer_spec_from_json(read_text_data(name + ".tokenizer.json"), "");
  REQUIRE(spec);
  auto tokenizer = Tokenizer::create(std::move(*spec));
  REQUIRE(tokenizer);
  return std::move(*tokenizer);
}

TEST_CASE("broken UTF-8 is shown as Unicode says: one U+FFFD for each maximal part") {
  const std::string bad = "\xEF\xBF\xBD";
  CHECK(utf8_lossy("a\xFFz") == "a" + bad + "z");
  CHECK(utf8_lossy("\xE2\x96") == bad);                  // cut
  CHECK(utf8_lossy("\xC0\xAF") == bad + bad);            // overlong
  CHECK(utf8_lossy("\xED\xA0\x80") == bad + bad + bad);  // a surrogate
  CHECK(utf8_lossy("\xF0\x9F\x98z") == bad + "z");
  CHECK(utf8_lossy("\xF4\x90\x80\x80") == bad + bad + bad + bad);
  CHECK(is_utf8("\xF4\x8F\xBF\xBF"));
  CHECK(utf8_step("\xF0\x9F").is_cut);
  CHECK(!utf8_step("\xF0\x41").is_cut);
}

TEST_CASE("the byte alphabet goes both ways for every byte") {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string character = alphabet_character(static_cast<uint8_t>(byte));
    CHECK(bytes_of_alphabet(character) == std::string(1, static_cast<char>(byte)));
  }
  CHECK(!bytes_of_alphabet(" "));
  CHECK(!bytes_of_alphabet("\xE2\x96\x81"));
}

TEST_CASE("regular expressions that PCRE2 reads differently are spelled out or refused") {
  CHECK(translate_pattern("\\p{L}+|[^\\r\\n]")->c_str() == std::string("\\p{L}+|[^\\r\\n]"));
  CHECK(*translate_pattern("\\h[\\h]") == "[0-9A-Fa-f][0-9A-Fa-f]");
  CHECK(*translate_pattern("[]a]") == "[\\]a]");
  for (const char* refused : {"[a&&b]", "[a[b]]", "(?m:a)", "\\K", "[\\S]", "\\", "\\Gx"}) {
    CAPTURE(refused);
    const auto translated = translate_pattern(refused);
    REQUIRE(!translated);
    CHECK(translated.error().code == Code::kUnsupported);
  }
  MatchScratch scratch;
  scratch.start(10);
  const auto space = Pattern::compile("\\s");
  REQUIRE(space);
  CHECK(!*space->find("\xE1\xA0\x8E", 0, scratch));  // U+180E is no white space
  CHECK(*space->find("\xE3\x80\x80", 0, scratch));   // U+3000 is
}

TEST_CASE("an expression that never ends gives up with an error") {
  const auto slow = Pattern::compile("(a+)+$");
  REQUIRE(slow);
  const std::string text = std::string(60, 'a') + "b";
  MatchScratch scratch;
  scratch.start(text.size());
  const auto found = slow->find(text, 0, scratch);
  REQUIRE(!found);
  CHECK(found.error().code == Code::kUnsupported);
  CHECK(Pattern::compile("(a").error().code == Code::kCorrupt);
  CHECK(Pattern::compile(std::string(limits::kPatternBytesMax + 1, 'a')).error().code ==
        Code::kUnsupported);
  CHECK(Pattern::compile(std::string(limits::kPatternBytesMax, 'a')));
}

TEST_CASE("a stream holds back what may still become a character, and nothing else") {
  const Tokenizer tokenizer = small_tokenizer("spm_prepend");
  const auto byte = [&](const char* name) {
    for (size_t id = 0; id < tokenizer.vocabulary_size(); ++id) {
      if ((tokenizer.spec().flags[id] & kTokenByte) != 0 &&
          tokenizer.piece(static_cast<int32_t>(id)) == name) {
        return static_cast<int32_t>(id);
      }
    }
    return -1;
  };
  StreamDecoder stream(tokenizer, SpecialTokens::kHidden, StreamDecoder::Position::kAfterOtherText);
  CHECK(stream.feed(byte("\xF0")).empty());
  CHECK(stream.feed(byte("\x9F")).empty());
  CHECK(stream.feed(byte("\x98")).empty());
  CHECK(stream.feed(byte("\x80")) == "\xF0\x9F\x98\x80");
  CHECK(stream.feed(byte("\xFF")) == kReplacementCharacter);
  CHECK(stream.feed(byte("\xE2")).empty());
  CHECK(stream.feed(byte("A")) == std::string(kReplacementCharacter) + "A");
  CHECK(stream.feed(byte("\xE2")).empty());
  CHECK(stream.feed(-5).empty());
  CHECK(stream.feed(1'000'000).empty());
  CHECK(stream.finish() == kReplacementCharacter);
  CHECK(stream.finish().empty());
}

TEST_CASE("only the first space of a text is dropped, and only at its start") {
  const Tokenizer tokenizer = small_tokenizer("spm_prepend");
  const auto ids = tokenizer.encode(" a", SpecialText::kIsText);
  REQUIRE(ids);
  const auto shown = [&](StreamDecoder::Position position) {
    StreamDecoder stream(tokenizer, SpecialTokens::kHidden, position);
    std::string text;
    for (const int32_t id : *ids) text += stream.feed(id);
    return text + stream.finish();
  };
  CHECK(shown(StreamDecoder::Position::kStartOfText) == " a");
  CHECK(shown(StreamDecoder::Position::kAfterOtherText) == "  a");
}

TEST_CASE("texts are limited to the byte, and broken ones are encoded as shown") {
  const Tokenizer tokenizer = small_tokenizer("smollm");
  const auto too_long =
      tokenizer.encode(std::string(limits::kPromptBytesMax + 1, 'a'), SpecialText::kIsText);
  REQUIRE(!too_long);
  CHECK(too_long.error().code == Code::kInvalidArgument);
  CHECK(*tokenizer.encode("a\xFF", SpecialText::kIsText) ==
        *tokenizer.encode("a\xEF\xBF\xBD", SpecialText::kIsText));
  CHECK(tokenizer.encode("", SpecialText::kIsToken)->empty());
}

TEST_CASE("a long run without a word boundary is encoded in good time") {
  for (const char* name : {"smollm", "spm_prepend", "llama3"}) {
    const Tokenizer tokenizer = small_tokenizer(name);
    for (const char* unit : {"a", " ", "\n", "ab", "\xC3\xA9"}) {
      std::string text;
      while (text.size() < 300'000) text += unit;
      const auto ids = tokenizer.encode(text, SpecialText::kIsText);
      REQUIRE(ids);
      CHECK(tokenizer.decode(*ids, SpecialTokens::kShown) == text);
    }
  }
}

TEST_CASE("one tokenizer serves many threads") {
  const Tokenizer tokenizer = small_tokenizer("qwen2");
  const GoldenStrings strings;
  const std::vector<std::string> golden = golden_hashes("qwen2");
  std::vector<std::thread> threads;
  std::vector<size_t> wrong(4, 0);
  for (size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = t; i < 800; i += 2) {
        const auto ids = tokenizer.encode(strings.draw(i), SpecialText::kIsToken);
        if (!ids || !golden[i].starts_with(fnv_ids(*ids))) ++wrong[t];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == std::vector<size_t>(4, 0));
}

TEST_CASE("bounded memory ends in bad_alloc, and what is given back can be taken again") {
  BoundedMemory memory(1 << 20);
  for (int i = 0; i < 100; ++i) std::string(100'000, 'x');
  CHECK(!memory.was_exceeded());
  CHECK_THROWS_AS(std::string(2 << 20, 'x'), std::bad_alloc);
  CHECK(memory.was_exceeded());
}

}  // namespace
}  // namespace ovenbird
