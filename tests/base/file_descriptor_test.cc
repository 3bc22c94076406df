// FileDescriptor: closes once, by the last owner.
#include "base/file_descriptor.h"

#include <fcntl.h>

#include <utility>

#include <doctest/doctest.h>

namespace ovenbird {
namespace {

bool is_open(int descriptor) { return ::fcntl(descriptor, F_GETFD) != -1; }

TEST_CASE("a descriptor is closed when its owner goes, wherever it was moved") {
  int number = -1;
  {
    FileDescriptor first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    REQUIRE(first);
    number = first.get();
    FileDescriptor second(std::move(first));
    CHECK(!first);
    FileDescriptor third(-1);
    third = std::move(second);
    CHECK(third.get() == number);
    CHECK(is_open(number));
  }
  CHECK(!is_open(number));
}

TEST_CASE("no descriptor is false") { CHECK(!FileDescriptor(-1)); }

}  // namespace
}  // namespace ovenbird
