// The lock file of a daemon, byte by byte as docs/WIRE.md says, and with each byte wrong.
#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "supervisor/arena_names.h"
#include "support/temporary_directory.h"

namespace ovenbird {
namespace {

const std::string kDigits = "0123456789abcdef0123456789abcdef";
const std::string kContent = std::string("ovenbird") + std::string("\1\0\0\0", 4) + kDigits;

TEST_CASE("magic, version, digits: 44 bytes") {
  const TemporaryDirectory directory;
  const std::string path = (directory.path() / "lock").string();
  const auto lock = take_lock_file(path);
  REQUIRE(lock);
  CHECK(!digits_in(*lock));
  REQUIRE(write_digits(*lock, kDigits));
  CHECK(digits_in(*lock) == kDigits);
  std::ifstream file(path);
  CHECK(std::string(std::istreambuf_iterator<char>(file), {}) == kContent);
}

TEST_CASE("a file with a wrong byte, or one too few, names no arena") {
  const TemporaryDirectory directory;
  const auto digits = [&](const std::string& content) {
    return look_at_lock_file(directory.write("lock", content).string()).digits;
  };
  CHECK(digits(kContent) == kDigits);
  for (size_t i = 0; i < kContent.size(); ++i) {
    CHECK(!digits(kContent.substr(0, i)));
    std::string spoiled = kContent;
    spoiled[i] = '\x80';
    CHECK(!digits(spoiled));
  }
}

}  // namespace
}  // namespace ovenbird
