// tokenizer.ovenbird: every cut and every changed byte ends in an error or in a tokenizer that
// works.
#include "text/tokenizer_binary.h"

#include <string>

#include <doctest/doctest.h>
#include "golden_strings.h"
#include "text/tokenizer.h"

namespace ovenbird {
namespace {

std::string good_bytes() {
  const auto spec = tokenizer_spec_from_json(read_text_data("odd_spm.tokenizer.json"),
                                             R"({"bos_token":"<s>","chat_template":"x"})");
  REQUIRE(spec);
  return serialize_tokenizer(*spec);
}

Result<TokenizerSpec> parse(const std::string& bytes) {
  return parse_tokenizer(std::as_bytes(std::span(bytes)));
}

TEST_CASE("tokenizer.ovenbird cut at any byte, or longer, is refused") {
  const std::string bytes = good_bytes();
  REQUIRE(parse(bytes));
  for (size_t kept = 0; kept < bytes.size(); kept += kept < 100 ? 1 : 13) {
    const auto cut = parse(bytes.substr(0, kept));
    REQUIRE(!cut);
    CHECK(cut.error().message.starts_with("read tokenizer.ovenbird: "));
  }
  CHECK(parse(bytes + "x").error().code == Code::kCorrupt);
}

TEST_CASE("tokenizer.ovenbird of another version is refused, with what to do") {
  std::string bytes = good_bytes();
  bytes[8] = 2;
  const auto newer = parse(bytes);
  REQUIRE(!newer);
  CHECK(newer.error().code == Code::kUnsupported);
  CHECK(newer.error().message ==
        "read tokenizer.ovenbird: version 2, this program reads 1; bake the model again");
  bytes[0] = 'X';
  CHECK(parse(bytes).error().code == Code::kCorrupt);
}

TEST_CASE("tokenizer.ovenbird with a changed byte is refused or works") {
  const std::string bytes = good_bytes();
  size_t loaded = 0;
  for (size_t at = 12; at < bytes.size(); at += 7) {
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ (1 << at % 8));
    auto spec = parse(changed);
    if (!spec) continue;
    const auto tokenizer = Tokenizer::create(std::move(*spec));
    if (!tokenizer) continue;
    ++loaded;
    const auto ids = tokenizer->encode("the [eat] caf\xC3\xA9 license", SpecialText::kIsToken);
    if (ids) tokenizer->decode(*ids, SpecialTokens::kShown);
  }
  CHECK(loaded > 100);  // most bytes are text
}

}  // namespace
}  // namespace ovenbird
