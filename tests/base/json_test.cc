// JSON: what is well formed comes through unchanged; each limit stops the reader with one line.
#include "base/json.h"

#include <string>

#include <doctest/doctest.h>

namespace ovenbird {
namespace {

std::string nested(size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST_CASE("a document comes through as nlohmann reads it") {
  const std::string text =
      R"({"a":[1,-2,2.5,true,null,"\u00e9",{}],"b":{"c":[[]]},"a2":18446744073709551615})";

  const Result<nlohmann::json> parsed = parse_json(text);

  REQUIRE(parsed);
  CHECK(*parsed == nlohmann::json::parse(text));
}

TEST_CASE("a lone value is a document, and the last of equal keys wins") {
  CHECK(*parse_json("5") == 5);
  CHECK(*parse_json(R"({"a":1,"a":{"b":2}})") == nlohmann::json{{"a", {{"b", 2}}}});
}

TEST_CASE("a UTF-8 byte order mark is skipped, UTF-16 is refused") {
  CHECK(parse_json("\xEF\xBB\xBF{}"));
  CHECK(!parse_json(std::string("\xFF\xFE{\0}\0", 6)));
}

TEST_CASE("a NUL is no end: what follows it is not ignored") {
  CHECK(!parse_json(std::string("{}\0", 3)));
  CHECK(!parse_json(std::string("{}\0garbage", 10)));
}

TEST_CASE("depth is limited to the entry") {
  CHECK(parse_json(nested(limits::kJsonDepthMax)));
  const Result<nlohmann::json> deep = parse_json(nested(limits::kJsonDepthMax + 1));
  REQUIRE(!deep);
  CHECK(deep.error().code == Code::kCorrupt);
  CHECK(deep.error().message == "parse JSON: more than 64 arrays and objects inside one another");
  CHECK(!parse_json(std::string(1'000'000, '[')));
}

TEST_CASE("size is limited to the byte") {
  CHECK(parse_json("[1]", {.bytes_max = 3}));
  CHECK(!parse_json("[1]", {.bytes_max = 2}));
}

TEST_CASE("duplicate keys are found when asked for") {
  const Result<nlohmann::json> twice =
      parse_json(R"({"x":{"q":1},"q":1,"x":2})", {.duplicate_keys = DuplicateKeys::kRefuse});
  REQUIRE(!twice);
  CHECK(twice.error().message == "parse JSON: the key \"x\" appears twice in one object");
  CHECK(parse_json(R"({"x":{"q":1},"q":1})", {.duplicate_keys = DuplicateKeys::kRefuse}));
}

TEST_CASE("faults are one line, and no exception gets out") {
  for (const std::string text : {"", "{", "[1,]", "{\"a\":}", "nul", "1e400", "\"\\ud800\"",
                                 "\"\xFF\"", "{}x", "\"\n\"", "{\"a\" 1}", "\"\x01\""}) {
    CAPTURE(text);
    const Result<nlohmann::json> parsed = parse_json(text);
    REQUIRE(!parsed);
    CHECK(parsed.error().code == Code::kCorrupt);
    CHECK(parsed.error().message.find('\n') == std::string::npos);
    CHECK(parsed.error().message.size() < 250);
  }
  CHECK(!parse_json(std::string("{\"a\0\":1}", 8)));
  CHECK(!parse_json("[" + std::string(400, '9') + "]"));
}

}  // namespace
}  // namespace ovenbird
