// Messages: whatever a file holds, an error stays one readable line.
#include "base/message_text.h"

#include <doctest/doctest.h>

namespace ovenbird {
namespace {

TEST_CASE("names from files are quoted, in ASCII, on one line") {
  CHECK(in_quotes("blk.0.attn_q") == "\"blk.0.attn_q\"");
  CHECK(in_quotes("") == "\"\"");
  CHECK(in_quotes(std::string_view("a\0\n\x1b[2J\x7f\xc3\xa4", 10)) ==
        "\"a\\x00\\x0a\\x1b[2J\\x7f\\xc3\\xa4\"");
}

TEST_CASE("long names are cut") {
  CHECK(in_quotes(std::string(80, 'x')) == "\"" + std::string(80, 'x') + "\"");
  CHECK(in_quotes(std::string(81, 'x')) == "\"" + std::string(80, 'x') + "...\"");
}

TEST_CASE("a message keeps its letters of any language and loses its control characters") {
  CHECK(one_line("open \xc3\xa4\xe4\xb8\xad\xf0\x9f\x90\xa6: no") ==
        "open \xc3\xa4\xe4\xb8\xad\xf0\x9f\x90\xa6: no");
  CHECK(one_line("a\nb\r\t\x1b[0m\x7f") == "a\\x0ab\\x0d\\x09\\x1b[0m\\x7f");
  CHECK(one_line("\xc2\x9b") == "\\xc2\\x9b");  // a control character of two bytes
}

TEST_CASE("broken UTF-8 is escaped") {
  CHECK(one_line("\xff") == "\\xff");
  CHECK(one_line("a\xc3") == "a\\xc3");
  CHECK(one_line("\xc0\xaf") == "\\xc0\\xaf");           // too long for what it says
  CHECK(one_line("\xe0\x80\xaf") == "\\xe0\\x80\\xaf");  // likewise
  CHECK(one_line("\xed\xa0\x80") == "\\xed\\xa0\\x80");  // half of a pair
  CHECK(one_line("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");
  CHECK(one_line("\xe4\xb8z") == "\\xe4\\xb8z");
}

TEST_CASE("a message has an end") {
  CHECK(one_line(std::string(900, 'x')).size() == 900);
  const std::string cut = one_line(std::string(5000, '\n'));
  CHECK(cut.size() <= 1000);
  CHECK(cut.ends_with("..."));
}

}  // namespace
}  // namespace ovenbird
