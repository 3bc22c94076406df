// SharedMemory: what can be made, opened and mapped; what is left in /dev/shm; each error.
#include "base/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <set>

#include <doctest/doctest.h>

#include "support/forked_process.h"
#include "support/open_descriptors.h"

namespace ovenbird {
namespace {

constexpr size_t kBytes = 3 * 4096 + 1;

/// A name of /dev/shm that is removed with it.
struct Name {
  std::string text = "/ovenbird-test-" + *unguessable_name();
  std::string path() const { return "/dev/shm" + text; }
  ~Name() { std::filesystem::remove(path()); }
};

void check_refusal(const Result<SharedMemory>& result, Code code, const std::string& part) {
  REQUIRE(!result);
  CHECK(result.error().code == code);
  CHECK_MESSAGE(result.error().message.find(part) != std::string::npos, result.error().message);
}

size_t objects_of_ours() {
  const auto is_ours = [](const auto& entry) {
    return entry.path().filename().string().starts_with("ovenbird-");
  };
  return static_cast<size_t>(
      std::count_if(std::filesystem::directory_iterator("/dev/shm"), {}, is_ours));
}

TEST_CASE("a new object is zeroed, this user's alone, and holds all its memory") {
  const Name name;
  const auto made = SharedMemory::create(name.text, kBytes);
  REQUIRE(made);

  CHECK(made->bytes().size() == kBytes);
  CHECK(std::all_of(made->bytes().begin(), made->bytes().end(),
                    [](std::byte byte) { return byte == std::byte{0}; }));
  struct stat status {};
  REQUIRE(::stat(name.path().c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
  CHECK(static_cast<size_t>(status.st_blocks) * 512 >= kBytes);
}

TEST_CASE("what one mapping writes another one reads") {
  const Name name;
  const auto made = SharedMemory::create(name.text, kBytes);
  REQUIRE(made);
  made->bytes()[kBytes - 1] = std::byte{7};

  const auto opened = SharedMemory::open(name.text, Access::kRead);
  REQUIRE(opened);
  CHECK(opened->bytes().size() == kBytes);
  CHECK(opened->bytes()[kBytes - 1] == std::byte{7});

  ForkedProcess other([&] {
    const auto theirs = SharedMemory::open(name.text, Access::kReadWrite);
    if (!theirs) return false;
    theirs->bytes()[0] = std::byte{9};
    return true;
  });
  REQUIRE(other.ends_well());
  CHECK(opened->bytes()[0] == std::byte{9});
}

TEST_CASE("a name is given once, and its removal leaves mappings alone") {
  const Name name;
  const auto made = SharedMemory::create(name.text, kBytes);
  REQUIRE(made);
  check_refusal(SharedMemory::create(name.text, kBytes), Code::kIo, name.text);

  CHECK(SharedMemory::remove(name.text));
  CHECK(SharedMemory::remove(name.text));
  check_refusal(SharedMemory::open(name.text, Access::kRead), Code::kNotFound, name.text);
  made->bytes()[0] = std::byte{1};

  const Name directory;
  REQUIRE(::mkdir(directory.path().c_str(), 0700) == 0);
  const Status kept = SharedMemory::remove(directory.text);
  REQUIRE(!kept);
  CHECK(kept.error().code == Code::kIo);
}

TEST_CASE("what cannot be allocated leaves no name, no descriptor and takes no memory") {
  const ptrdiff_t descriptors = open_descriptors();
  struct statvfs room {};
  REQUIRE(::statvfs("/dev/shm", &room) == 0);
  const Name name;
  if (room.f_blocks > 0) {
    const size_t free = room.f_bavail * room.f_frsize;
    check_refusal(SharedMemory::create(name.text, free + (64u << 20)), Code::kIo, "/dev/shm");
  }
  constexpr size_t kFarTooMuch = size_t{1} << 52;
  check_refusal(SharedMemory::create(name.text, kFarTooMuch), Code::kIo,
                "allocate 4503599627370496");
  check_refusal(SharedMemory::create(name.text, SIZE_MAX), Code::kIo, "allocate");
  check_refusal(SharedMemory::create_unnamed(kFarTooMuch), Code::kIo, "the machine has");
  check_refusal(SharedMemory::create_unnamed(SIZE_MAX), Code::kIo, "the machine has");
  check_refusal(SharedMemory::create(name.text, 0), Code::kInvalidArgument, "0 bytes");
  check_refusal(SharedMemory::create_unnamed(0), Code::kInvalidArgument, "0 bytes");
  CHECK(!std::filesystem::exists(name.path()));
  CHECK(open_descriptors() == descriptors);
}

TEST_CASE("the limit of `ulimit -f` is an error and no signal") {
  ForkedProcess bounded([] {
    const rlimit limit{.rlim_cur = kBytes, .rlim_max = kBytes};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return false;
    const auto fits = SharedMemory::create_unnamed(kBytes);
    const auto beyond = SharedMemory::create_unnamed(kBytes + 1);
    const Name name;
    const auto named = SharedMemory::create(name.text, kBytes + 1);
    return fits && !beyond && !named && beyond.error().code == Code::kIo &&
           named.error().message.find("ulimit -f") != std::string::npos;
  });
  CHECK(bounded.ends_well());
}

TEST_CASE("signals that come all the time do not keep memory from being allocated") {
  struct sigaction noticed {};
  struct sigaction before {};
  noticed.sa_handler = [](int) {};
  REQUIRE(::sigaction(SIGALRM, &noticed, &before) == 0);
  const itimerval often{.it_interval = {0, 2000}, .it_value = {0, 2000}};
  ::setitimer(ITIMER_REAL, &often, nullptr);

  CHECK(SharedMemory::create_unnamed(64u << 20));

  const itimerval never{};
  ::setitimer(ITIMER_REAL, &never, nullptr);
  ::sigaction(SIGALRM, &before, nullptr);
}

TEST_CASE("memory without a name has none at any time, and keeps its size") {
  const size_t objects = objects_of_ours();
  const auto made = SharedMemory::create_unnamed(kBytes);
  REQUIRE(made);
  CHECK(objects_of_ours() == objects);

  const int descriptor = made->descriptor().get();
  CHECK(::ftruncate(descriptor, 0) != 0);
  CHECK(::ftruncate(descriptor, 2 * kBytes) != 0);
  struct stat status {};
  REQUIRE(::fstat(descriptor, &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
  CHECK((::fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0);

  // Nor can a peer seal it against the workers that come later.
  CHECK(::fcntl(descriptor, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) != 0);
  FileDescriptor copy(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
  CHECK(SharedMemory::map(std::move(copy), kBytes, Access::kReadWrite));
}

TEST_CASE("through a read-only descriptor nobody writes, maps to write, or shrinks") {
  const Name name;
  auto named = SharedMemory::create(name.text, kBytes);
  auto unnamed = SharedMemory::create_unnamed(kBytes);
  REQUIRE(named);
  REQUIRE(unnamed);
  for (const SharedMemory* memory : {&*named, &*unnamed}) {
    auto descriptor = memory->read_only_descriptor();
    REQUIRE(descriptor);
    const int number = descriptor->get();
    CHECK((::fcntl(number, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, number, 0) == MAP_FAILED);
    CHECK(errno == EACCES);
    CHECK(::write(number, "x", 1) < 0);
    CHECK(::ftruncate(number, 1) != 0);
    CHECK(::fallocate(number, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) != 0);
    FileDescriptor copy(::fcntl(number, F_DUPFD_CLOEXEC, 0));
    check_refusal(SharedMemory::map(std::move(copy), kBytes, Access::kReadWrite), Code::kIo, "map");

    const auto mapped = SharedMemory::map(std::move(*descriptor), kBytes, Access::kRead);
    REQUIRE(mapped);
    CHECK(::mprotect(mapped->bytes().data(), kBytes, PROT_READ | PROT_WRITE) != 0);
    memory->bytes()[5] = std::byte{5};
    CHECK(mapped->bytes()[5] == std::byte{5});
  }
  CHECK(!SharedMemory().read_only_descriptor());
}

TEST_CASE("what others may open, or somebody else made, is not opened") {
  const Name name;
  REQUIRE(SharedMemory::create(name.text, kBytes));
  for (const mode_t mode : {0601, 0602, 0604, 0610, 0620, 0640}) {
    REQUIRE(::chmod(name.path().c_str(), mode) == 0);
    check_refusal(SharedMemory::open(name.text, Access::kRead), Code::kCorrupt, name.text);
  }
  REQUIRE(::chmod(name.path().c_str(), 0600) == 0);
  REQUIRE(SharedMemory::open(name.text, Access::kRead));
  if (::geteuid() == 0) {
    REQUIRE(::chown(name.path().c_str(), 65534, 65534) == 0);
    check_refusal(SharedMemory::open(name.text, Access::kRead), Code::kCorrupt, "another user's");
  }
}

TEST_CASE("what is no memory is refused under a name too, and not waited for") {
  const ptrdiff_t descriptors = open_descriptors();
  SUBCASE("a pipe") {
    const Name name;
    REQUIRE(::mkfifo(name.path().c_str(), 0600) == 0);
    check_refusal(SharedMemory::open(name.text, Access::kRead), Code::kCorrupt, "map");
    check_refusal(SharedMemory::open(name.text, Access::kReadWrite), Code::kCorrupt, "map");
  }
  SUBCASE("a directory") {
    const Name name;
    REQUIRE(::mkdir(name.path().c_str(), 0700) == 0);
    CHECK(!SharedMemory::open(name.text, Access::kRead));
  }
  SUBCASE("a link") {
    const Name name;
    const Name target;
    REQUIRE(SharedMemory::create(target.text, kBytes));
    REQUIRE(::symlink(target.path().c_str(), name.path().c_str()) == 0);
    check_refusal(SharedMemory::open(name.text, Access::kRead), Code::kIo, name.text);
  }
  SUBCASE("nothing in it") {
    const Name name;
    FileDescriptor empty(::open(name.path().c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    check_refusal(SharedMemory::open(name.text, Access::kRead), Code::kCorrupt, "has 0");
  }
  CHECK(open_descriptors() == descriptors);
}

TEST_CASE("no more is mapped than a peer's object has") {
  const auto memory = SharedMemory::create_unnamed(kBytes);
  REQUIRE(memory);
  const auto handed_over = [&] {
    return FileDescriptor(::fcntl(memory->descriptor().get(), F_DUPFD_CLOEXEC, 0));
  };
  CHECK(SharedMemory::map(handed_over(), kBytes - 1, Access::kRead));
  CHECK(SharedMemory::map(handed_over(), kBytes, Access::kRead));
  const ptrdiff_t descriptors = open_descriptors();
  for (const size_t bytes : {kBytes + 1, size_t{0}, SIZE_MAX}) {
    check_refusal(SharedMemory::map(handed_over(), bytes, Access::kRead), Code::kCorrupt,
                  "the object has " + std::to_string(kBytes));
  }
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  check_refusal(SharedMemory::map(FileDescriptor(ends[0]), 1, Access::kRead), Code::kCorrupt,
                "map");
  check_refusal(SharedMemory::map(FileDescriptor(ends[1]), 1, Access::kRead), Code::kCorrupt,
                "map");
  check_refusal(SharedMemory::map(FileDescriptor(-1), 1, Access::kRead), Code::kIo, "map");
  CHECK(open_descriptors() == descriptors);
}

TEST_CASE("moving leaves the bytes where they are") {
  auto first = SharedMemory::create_unnamed(kBytes);
  REQUIRE(first);
  const std::byte* place = first->bytes().data();
  SharedMemory second = std::move(*first);
  CHECK(second.bytes().data() == place);
  CHECK(first->bytes().empty());
  SharedMemory third;
  third = std::move(second);
  CHECK(third.bytes().data() == place);
  CHECK(third.descriptor());
}

TEST_CASE("names are 32 digits, and never the same") {
  std::set<std::string> names;
  for (int i = 0; i < 100; ++i) names.insert(*unguessable_name());
  CHECK(names.size() == 100);
  for (const std::string& name : names) {
    CHECK(name.size() == 32);
    CHECK(name.find_first_not_of("0123456789abcdef") == std::string::npos);
  }
}

}  // namespace
}  // namespace ovenbird
