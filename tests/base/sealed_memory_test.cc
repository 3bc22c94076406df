// SharedMemory that a peer hands over: what is not sealed in every way is refused, with each seal
// left out once; what is cannot be changed, whatever its maker does.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include <doctest/doctest.h>

#include "base/shared_memory.h"
#include "support/open_descriptors.h"

namespace ovenbird {
namespace {

constexpr size_t kBytes = 2 * 4096 + 10;
constexpr int kEnough = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

FileDescriptor copy_of(const FileDescriptor& descriptor) {
  return FileDescriptor(::fcntl(descriptor.get(), F_DUPFD_CLOEXEC, 0));
}

/// As a peer makes it, without Ovenbird's library.
FileDescriptor peers_object(const std::string& content, int seals) {
  FileDescriptor made(::memfd_create("peer", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  REQUIRE(::write(made.get(), content.data(), content.size()) == ssize_t(content.size()));
  REQUIRE(::fcntl(made.get(), F_ADD_SEALS, seals) == 0);
  return made;
}

void check_refusal(const Result<SharedMemory>& result, const std::string& part) {
  REQUIRE(!result);
  CHECK(result.error().code == Code::kCorrupt);
  CHECK_MESSAGE(result.error().message.find(part) != std::string::npos, result.error().message);
}

TEST_CASE("what was written before the seal can be read, and changed by nobody") {
  auto memory = SharedMemory::create_sealable(kBytes);
  REQUIRE(memory);
  std::memcpy(memory->bytes().data() + kBytes - 4, "over", 4);
  const Result<FileDescriptor> sealed = SharedMemory::seal(std::move(*memory));
  REQUIRE(sealed);

  CHECK(::ftruncate(sealed->get(), 1) != 0);
  CHECK(::write(sealed->get(), "x", 1) < 0);
  CHECK(::mmap(nullptr, kBytes, PROT_WRITE, MAP_SHARED, sealed->get(), 0) == MAP_FAILED);
  CHECK(::fallocate(sealed->get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) != 0);

  const auto mapped = SharedMemory::map_sealed(copy_of(*sealed), kBytes);
  REQUIRE(mapped);
  CHECK(mapped->bytes().size() == kBytes);
  CHECK(std::memcmp(mapped->bytes().data() + kBytes - 4, "over", 4) == 0);
}

TEST_CASE("the limit is the last size that is taken") {
  const FileDescriptor object = peers_object(std::string(kBytes, 'x'), kEnough);
  CHECK(SharedMemory::map_sealed(copy_of(object), kBytes + 1));
  CHECK(SharedMemory::map_sealed(copy_of(object), kBytes));
  check_refusal(SharedMemory::map_sealed(copy_of(object), kBytes - 1), "may have 1 to");
  check_refusal(SharedMemory::map_sealed(peers_object("", kEnough), kBytes), "it has 0 bytes");
}

TEST_CASE("each seal is needed") {
  const ptrdiff_t descriptors = open_descriptors();
  for (const int missing : {F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE, kEnough}) {
    check_refusal(SharedMemory::map_sealed(peers_object("abc", kEnough & ~missing), kBytes),
                  "not sealed");
  }
  CHECK(open_descriptors() == descriptors);
}

TEST_CASE("holes are refused: they would take memory when they are read") {
  FileDescriptor object(::memfd_create("peer", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  REQUIRE(::ftruncate(object.get(), 1 << 30) == 0);
  REQUIRE(::pwrite(object.get(), "x", 1, 0) == 1);
  REQUIRE(::fcntl(object.get(), F_ADD_SEALS, kEnough) == 0);
  check_refusal(SharedMemory::map_sealed(std::move(object), size_t{1} << 31), "holes");
}

TEST_CASE("huge pages are refused: they may be missing when they are read") {
  FileDescriptor object(::memfd_create("peer", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB));
  if (!object) return;  // a kernel without them
  REQUIRE(::ftruncate(object.get(), 2 << 20) == 0);
  REQUIRE(::fcntl(object.get(), F_ADD_SEALS, kEnough) == 0);
  check_refusal(SharedMemory::map_sealed(std::move(object), 4 << 20), "ordinary pages");
}

TEST_CASE("what takes no seals is refused: pipes, sockets, files, nothing") {
  const ptrdiff_t descriptors = open_descriptors();
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  check_refusal(SharedMemory::map_sealed(FileDescriptor(ends[0]), kBytes), "not sealed");
  check_refusal(SharedMemory::map_sealed(FileDescriptor(ends[1]), kBytes), "not sealed");
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  check_refusal(SharedMemory::map_sealed(FileDescriptor(ends[0]), kBytes), "not sealed");
  check_refusal(SharedMemory::map_sealed(FileDescriptor(ends[1]), kBytes), "not sealed");
  for (const char* path : {"/proc/self/exe", "/dev/zero", "/"}) {
    FileDescriptor file(::open(path, O_RDONLY | O_CLOEXEC));
    REQUIRE(file);
    check_refusal(SharedMemory::map_sealed(std::move(file), kBytes), "not sealed");
  }
  check_refusal(SharedMemory::map_sealed(FileDescriptor(-1), kBytes), "not sealed");
  CHECK(open_descriptors() == descriptors);
}

TEST_CASE("what is still mapped to write cannot be sealed, nor what takes no seals any more") {
  auto memory = SharedMemory::create_sealable(kBytes);
  REQUIRE(memory);
  const auto other = SharedMemory::map(copy_of(memory->descriptor()), kBytes, Access::kReadWrite);
  REQUIRE(other);
  const auto sealed = SharedMemory::seal(std::move(*memory));
  REQUIRE(!sealed);
  CHECK(sealed.error().code == Code::kIo);

  auto fixed = SharedMemory::create_unnamed(kBytes);
  REQUIRE(fixed);
  CHECK(!SharedMemory::seal(std::move(*fixed)));
  CHECK(!SharedMemory::seal(SharedMemory()));
}

}  // namespace
}  // namespace ovenbird
