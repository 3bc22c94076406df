// config.json: "use_cache" becomes false and all else stays.
#include "bundle/config_json.h"

#include <doctest/doctest.h>

#include <string>

#include "base/limits.h"

namespace ovenbird {
namespace {

std::string edited(const std::string& source) {
  const Result<std::string> config = config_without_cache(source);
  if (!config) FAIL(config.error().message);
  return *config;
}

TEST_CASE("keys stay in their order, use_cache in its place") {
  CHECK(edited(R"({"z":1,"use_cache":true,"a":{"y":[1.5,null],"b":"x"}})") ==
        "{\n  \"z\": 1,\n  \"use_cache\": false,\n  \"a\": {\n    \"y\": [\n      1.5,\n"
        "      null\n    ],\n    \"b\": \"x\"\n  }\n}\n");
}

TEST_CASE("use_cache is added where there is none, and whatever it was becomes false") {
  CHECK(edited(R"({"z":1})") == "{\n  \"z\": 1,\n  \"use_cache\": false\n}\n");
  CHECK(edited("{}") == "{\n  \"use_cache\": false\n}\n");
  CHECK(edited(R"({"use_cache":{"a":1}})") == "{\n  \"use_cache\": false\n}\n");
  CHECK(edited(R"({"use_cache":true,"use_cache":1})") == "{\n  \"use_cache\": false\n}\n");
}

TEST_CASE("a byte order mark in front is dropped") {
  CHECK(edited("\xEF\xBB\xBF{\"use_cache\":true}") == "{\n  \"use_cache\": false\n}\n");
}

TEST_CASE("letters of any language stay") {
  CHECK(edited("{\"name\":\"\xC3\xA9\"}").find("\xC3\xA9") != std::string::npos);
}

TEST_CASE("what is no object is refused") {
  for (const char* source :
       {"[]", "1", "\"use_cache\"", "null", "", "{", "{}}", "{\"a\":\"\xFF\"}"}) {
    CAPTURE(source);
    const Result<std::string> config = config_without_cache(source);
    REQUIRE(!config);
    CHECK(config.error().code == Code::kCorrupt);
    CHECK(config.error().message.starts_with("config.json: "));
  }
}

TEST_CASE("an object of absurdly many keys is refused, however deep it lies") {
  const auto object_of = [](size_t keys) {
    std::string json = "{";
    for (size_t key = 0; key < keys; ++key) {
      json += (key ? ",\"" : "\"") + std::to_string(key) + "\":1";
    }
    return json + "}";
  };
  CHECK(config_without_cache(object_of(limits::kConfigKeysMax)));
  CHECK(!config_without_cache(object_of(limits::kConfigKeysMax + 1)));
  CHECK(!config_without_cache("{\"a\":[" + object_of(limits::kConfigKeysMax + 1) + "]}"));
}

}  // namespace
}  // namespace ovenbird
