// Stop strings: the same cut as a search of the whole text, however the text is cut into pieces.
#include "text/stop_strings.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "base/limits.h"

namespace ovenbird {
namespace {

StopStrings make(std::vector<std::string> strings) {
  Result<StopStrings> made = StopStrings::create(std::move(strings));
  REQUIRE(made);
  return *std::move(made);
}

TEST_CASE("text flows, a possible beginning is held back, and freed when it was none") {
  StopStrings stop = make({"STOP"});

  CHECK(stop.feed("go on").text == "go on");
  CHECK(stop.feed(" S").text == " ");
  CHECK(stop.held_bytes() == 1);
  CHECK(stop.feed("TO").text == "");
  CHECK(stop.held_bytes() == 3);
  CHECK(stop.feed("RE").text == "STORE");
  CHECK(stop.held_bytes() == 0);
}

TEST_CASE("a stop string that comes in pieces is cut out with all that follows") {
  StopStrings stop = make({"\n\nUser:"});

  CHECK(stop.feed("Hi.\n").text == "Hi.");
  CHECK(stop.feed("\nUs").text == "");
  const StopStrings::Passed last = stop.feed("er: what");

  CHECK(last.text == "");
  CHECK(last.stopped_by == 0);
}

TEST_CASE("a false start within a beginning keeps the part that may still become one") {
  StopStrings stop = make({"aab"});
  CHECK(stop.feed("aaa").text == "a");
  CHECK(stop.feed("a").text == "a");
  const StopStrings::Passed last = stop.feed("b");
  CHECK(last.text == "");
  CHECK(last.stopped_by == 0);
}

TEST_CASE("the string that is complete first wins, and the longest of those that end together") {
  StopStrings first = make({"abcX", "bc"});
  const StopStrings::Passed inner = first.feed("xabcX");
  CHECK(inner.text == "xa");
  CHECK(inner.stopped_by == 1);

  StopStrings longest = make({"bc", "abc"});
  const StopStrings::Passed outer = longest.feed("xabc");
  CHECK(outer.text == "x");
  CHECK(outer.stopped_by == 1);
}

TEST_CASE("at the end of the text what was held back comes out") {
  StopStrings stop = make({"<|end|>"});
  CHECK(stop.feed("a <|e").text == "a ");
  CHECK(stop.finish() == "<|e");
  CHECK(stop.feed("nd|>").text == "nd|>");  // a new text
}

TEST_CASE("after a match reset begins a new text") {
  StopStrings stop = make({"ab"});
  REQUIRE(stop.feed("ab").stopped_by);
  stop.reset();
  CHECK(stop.feed("b").text == "b");
}

TEST_CASE("without stop strings everything flows") {
  StopStrings stop = make({});
  CHECK(stop.feed("anything").text == "anything");
  CHECK(stop.finish() == "");
}

TEST_CASE("whole characters in, whole characters out") {
  const std::string euro = "\xE2\x82\xAC";
  const std::string dash = "\xE2\x80\x93";  // shares its first byte with the euro
  StopStrings stop = make({dash + dash});
  CHECK(stop.feed(euro).text == euro);
  CHECK(stop.feed(dash).text == "");
  CHECK(stop.feed(euro).text == dash + euro);
}

TEST_CASE("strings that cannot be searched for are refused") {
  const auto refusal = [](std::vector<std::string> strings) {
    const Result<StopStrings> made = StopStrings::create(std::move(strings));
    REQUIRE(!made);
    CHECK(made.error().code == Code::kInvalidArgument);
    return made.error().message;
  };
  CHECK(refusal({"a", ""}) == "set stop string 1: it is empty; accepted: 1 to 256 bytes of UTF-8");
  CHECK(refusal({std::string(limits::kStopStringBytesMax + 1, 'a')}) ==
        "set stop string 0: it has 257 bytes; accepted: 1 to 256 bytes of UTF-8");
  CHECK(refusal({"\x82\xAC"}).find("in the middle of a character") != std::string::npos);
  CHECK(refusal(std::vector<std::string>(limits::kStopStringsMax + 1, "a")) ==
        "set 17 stop strings; accepted: at most 16");

  CHECK(StopStrings::create({std::string(limits::kStopStringBytesMax, 'a')}));
  CHECK(StopStrings::create(std::vector<std::string>(limits::kStopStringsMax, "a")));
}

struct Cut {
  std::string text;
  std::optional<std::string> stop;
};

/// The definition: the first byte at which some stop string ends; the longest that ends there.
Cut cut_whole(const std::string& text, const std::vector<std::string>& strings) {
  for (size_t end = 1; end <= text.size(); ++end) {
    Cut cut;
    for (const std::string& stop : strings) {
      const bool ends_here = std::string_view(text).substr(0, end).ends_with(stop);
      if (!ends_here || (cut.stop && cut.stop->size() >= stop.size())) continue;
      cut = {text.substr(0, end - stop.size()), stop};
    }
    if (cut.stop) return cut;
  }
  return {text, std::nullopt};
}

/// The longest end of `text` that is a beginning of a stop string.
size_t held_by_definition(const std::string& text, const std::vector<std::string>& strings) {
  size_t held = 0;
  for (const std::string& stop : strings) {
    for (size_t length = 1; length < stop.size(); ++length) {
      if (text.ends_with(stop.substr(0, length))) held = std::max(held, length);
    }
  }
  return held;
}

TEST_CASE("random texts, pieces and stop strings: the same cut as by searching the whole text") {
  std::mt19937 random(4);
  const auto random_text = [&](size_t length) {
    std::string text(length, ' ');
    for (char& byte : text) byte = static_cast<char>('a' + random() % 3);
    return text;
  };
  size_t stopped = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::string> strings(random() % 4);
    for (std::string& stop : strings) stop = random_text(1 + random() % 7);
    const std::string text = random_text(random() % 40);
    const Cut expected = cut_whole(text, strings);
    StopStrings stop = make(strings);

    std::string out;
    std::optional<size_t> stopped_by;
    for (size_t at = 0; at < text.size() && !stopped_by;) {
      const size_t length = std::min<size_t>(random() % 6, text.size() - at);
      const StopStrings::Passed passed = stop.feed(std::string_view(text).substr(at, length));
      out += passed.text;
      stopped_by = passed.stopped_by;
      at += length;
      if (stopped_by) break;
      REQUIRE(stop.held_bytes() == held_by_definition(text.substr(0, at), strings));
    }
    if (!stopped_by) out += stop.finish();

    REQUIRE(out == expected.text);
    REQUIRE(stopped_by.has_value() == expected.stop.has_value());
    if (stopped_by) REQUIRE(strings[*stopped_by] == *expected.stop);
    stopped += stopped_by ? 1 : 0;
  }
  CHECK(stopped > 1000);  // both outcomes were met often
  CHECK(stopped < 19'000);
}

}  // namespace
}  // namespace ovenbird
