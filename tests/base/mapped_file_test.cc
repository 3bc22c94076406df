// MappedFile: regular files only, and the bytes outlive moves and release().
#include "base/mapped_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "support/temporary_directory.h"

namespace ovenbird {
namespace {

std::string text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

TEST_CASE("a file is mapped whole") {
  const TemporaryDirectory directory;

  const auto file = MappedFile::open(directory.write("f", "seven\n!"));

  REQUIRE(file);
  CHECK(text_of(*file) == "seven\n!");
}

TEST_CASE("an empty file maps to no bytes") {
  const TemporaryDirectory directory;

  const auto file = MappedFile::open(directory.write("empty", ""));

  REQUIRE(file);
  CHECK(file->bytes().empty());
}

TEST_CASE("a file that is not there is not found") {
  const TemporaryDirectory directory;

  const auto file = MappedFile::open(directory.path() / "none");

  REQUIRE(!file);
  CHECK(file.error().code == Code::kNotFound);
}

TEST_CASE("directories, pipes and devices are refused without waiting") {
  const TemporaryDirectory directory;
  const auto pipe = directory.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);

  for (const auto& path : {directory.path(), pipe, std::filesystem::path("/dev/zero")}) {
    const auto file = MappedFile::open(path);
    REQUIRE(!file);
    CHECK(file.error().code == Code::kIo);
    CHECK(file.error().message.find("not a regular file") != std::string::npos);
  }
}

TEST_CASE("moving keeps the bytes where they are, and leaves nothing behind") {
  const TemporaryDirectory directory;
  auto first = *MappedFile::open(directory.write("a", "first"));
  auto second = *MappedFile::open(directory.write("b", "second"));
  const std::byte* place = first.bytes().data();

  MappedFile moved = std::move(first);
  CHECK(moved.bytes().data() == place);
  CHECK(first.bytes().empty());

  moved = std::move(second);
  CHECK(text_of(moved) == "second");
}

TEST_CASE("released bytes can be read again") {
  const TemporaryDirectory directory;
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const std::string content(5 * page + 7, 'x');
  const auto file = MappedFile::open(directory.write("pages", content));
  REQUIRE(file);

  file->release(file->bytes());
  file->release(file->bytes().subspan(3, 2 * page));
  file->release(file->bytes().subspan(10, 1));
  file->release({});

  CHECK(text_of(*file) == content);
}

}  // namespace
}  // namespace ovenbird
