// Shared memory of supervisors: made, found again, swept; lock files that are spoiled in every
// byte.
#include "supervisor/arena_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <set>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "supervisor/arena_names.h"
#include "support/temporary_directory.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

/// A lock's path, and what stands in /dev/shm for it.
struct Place {
  TemporaryDirectory directory;
  std::string lock = (directory.path() / "lock").string();

  wire::ArenaShape shape(uint32_t slots = 1) const {
    return {.slots = slots,
            .sessions_max = 8,
            .rows = 8,
            .tensors = 2,
            .tensor_bytes = 256,
            .scratch_bytes = 128};
  }
  ArenaStore open(uint32_t slots = 1) const {
    Result<ArenaStore> store = ArenaStore::open(shape(slots), lock);
    if (!store) FAIL(store.error().message);
    return std::move(*store);
  }
  std::string digits() const { return look_at_lock_file(lock).digits.value_or(""); }
};

bool exists(const std::string& name) {
  return fs::exists("/dev/shm" + name);  // names begin with a slash
}

TEST_CASE("names say whose they are") {
  const std::string digits(32, 'a');
  CHECK(arena_name(digits) == "/ovenbird-" + digits);
  CHECK(record_name(digits, 7) == "/ovenbird-" + digits + "-7");
  CHECK(digits_of_record("ovenbird-" + digits + "-7") == digits);
  for (const std::string& other :
       {"ovenbird-" + digits, "ovenbird-" + digits + "-", "ovenbird-" + digits + "7-",
        "ovenbird-" + std::string(32, 'g') + "-7", "ovenbirds" + digits + "-7", std::string()}) {
    CHECK(digits_of_record(other).empty());
  }
}

TEST_CASE("without a lock there are no names") {
  const Place place;
  Result<ArenaStore> store = ArenaStore::open(place.shape(), "");
  REQUIRE(store);
  CHECK_FALSE(store->is_taken_over());
  CHECK(store->create_record(1, 4096));
  CHECK(store->create_record(1, 4096));
  store->remove_record(1);
  store->remove_records_but({});
  store->remove();
}

TEST_CASE("what a supervisor has left is taken over by one of the same shape") {
  const Place place;
  std::string digits;
  {
    const ArenaStore first = place.open();
    CHECK_FALSE(first.is_taken_over());
    digits = place.digits();
    first.arena().session(3).session = 42;
    REQUIRE(first.create_record(42, 4096));
    REQUIRE(first.create_record(43, 4096));
  }
  const ArenaStore second = place.open();
  CHECK(second.is_taken_over());
  CHECK(place.digits() == digits);
  CHECK(second.arena().session(3).session == 42);
  CHECK(second.open_record(42));
  const Result<SharedMemory> none = second.open_record(44);
  REQUIRE_FALSE(none);
  CHECK(none.error().code == Code::kNotFound);
  second.remove_records_but({42});
  CHECK(exists(record_name(digits, 42)));
  CHECK_FALSE(exists(record_name(digits, 43)));
  second.remove();
  CHECK_FALSE(exists(arena_name(digits)));
  CHECK_FALSE(exists(record_name(digits, 42)));
  CHECK_FALSE(fs::exists(place.lock));
}

TEST_CASE("what a supervisor of another shape has left is removed") {
  const Place place;
  std::string digits;
  {
    const ArenaStore first = place.open(1);
    digits = place.digits();
    REQUIRE(first.create_record(1, 4096));
  }
  const ArenaStore second = place.open(2);
  CHECK_FALSE(second.is_taken_over());
  CHECK(place.digits() != digits);
  CHECK_FALSE(exists(arena_name(digits)));
  CHECK_FALSE(exists(record_name(digits, 1)));
  second.remove();
}

TEST_CASE("one supervisor holds the lock") {
  const Place place;
  const ArenaStore first = place.open();
  const Result<ArenaStore> second = ArenaStore::open(place.shape(), place.lock);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Code::kBusy);
  CHECK(look_at_lock_file(place.lock).is_held);
  first.remove();
}

TEST_CASE("one who only looks whether a lock is held hinders nobody who takes it") {
  const Place place;
  std::atomic<bool> stop{false};
  std::vector<std::thread> lookers;
  for (int i = 0; i < 3; ++i) {
    lookers.emplace_back([&] {
      while (!stop) {
        static_cast<void>(look_at_lock_file(place.lock));
        std::this_thread::sleep_for(std::chrono::microseconds(100));
      }
    });
  }
  int taken = 0;
  for (int i = 0; i < 300; ++i) taken += take_lock_file(place.lock) ? 1 : 0;
  stop = true;
  for (std::thread& looker : lookers) looker.join();
  CHECK(taken == 300);
}

TEST_CASE("a lock file with anything wrong in it names nothing") {
  const Place place;
  {
    const ArenaStore first = place.open();
    static_cast<void>(first);
  }
  const std::string arena = arena_name(place.digits());
  std::string content;
  {
    std::ifstream file(place.lock, std::ios::binary);
    content.assign(std::istreambuf_iterator<char>(file), {});
  }
  REQUIRE(content.size() == 44);
  const auto digits_of = [&](const std::string& bytes) {
    place.directory.write("lock", bytes);
    return place.digits();
  };
  CHECK(digits_of(content) == content.substr(12));
  for (size_t size = 0; size < content.size(); ++size) {
    CHECK(digits_of(content.substr(0, size)).empty());
  }
  for (size_t i = 0; i < content.size(); ++i) {
    std::string spoiled = content;
    spoiled[i] = static_cast<char>(spoiled[i] ^ 0x80);
    CHECK(digits_of(spoiled).empty());
  }
  // And whoever comes next begins anew, and sweeps what nothing names any more.
  place.directory.write("lock", std::string(100'000, '\xff'));
  const ArenaStore second = place.open();
  CHECK_FALSE(second.is_taken_over());
  CHECK_FALSE(exists(arena));
  second.remove();
}

TEST_CASE("an arena that is cut off or spoiled is not taken over") {
  const Place place;
  for (const off_t bytes : {off_t{0}, off_t{100}, off_t{4096}}) {
    CAPTURE(bytes);
    std::string digits;
    {
      const ArenaStore first = place.open();
      digits = place.digits();
    }
    REQUIRE(::truncate(("/dev/shm" + arena_name(digits)).c_str(), bytes) == 0);
    const ArenaStore second = place.open();
    CHECK_FALSE(second.is_taken_over());
    CHECK_FALSE(exists(arena_name(digits)));
  }
  place.open().remove();
}

TEST_CASE("the sweep leaves alone what is in use or may be taken over, and takes the rest") {
  const Place living;
  const Place killed;
  const Place forgotten;
  const Place held;
  const ArenaStore alive = living.open();
  REQUIRE(alive.create_record(1, 4096));
  std::set<std::string> stay{arena_name(living.digits()), record_name(living.digits(), 1)};
  {
    const ArenaStore store = killed.open();
    REQUIRE(store.create_record(1, 4096));
    stay.insert({arena_name(killed.digits()), record_name(killed.digits(), 1)});
  }
  std::set<std::string> go;
  {
    const ArenaStore store = forgotten.open();
    REQUIRE(store.create_record(1, 4096));
    go.insert({arena_name(forgotten.digits()), record_name(forgotten.digits(), 1)});
  }
  fs::remove(forgotten.lock);
  // A worker holds it, whatever has become of its supervisor.
  { const ArenaStore store = held.open(); }
  const std::string held_arena = arena_name(held.digits());
  stay.insert(held_arena);
  fs::remove(held.lock);
  FileDescriptor worker(::open(("/dev/shm" + held_arena).c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(::flock(worker.get(), LOCK_EX) == 0);
  // A record whose arena has gone.
  const std::string orphan = record_name(std::string(32, '0'), 5);
  REQUIRE(SharedMemory::create(orphan, 4096));
  go.insert(orphan);
  // Not ours to judge.
  const std::string stranger = "/ovenbird-something-else";
  REQUIRE(SharedMemory::create(stranger, 4096));

  remove_dead_arenas();
  for (const std::string& name : stay) CHECK_MESSAGE(exists(name), name);
  for (const std::string& name : go) CHECK_FALSE_MESSAGE(exists(name), name);
  CHECK(exists(stranger));
  CHECK(SharedMemory::remove(stranger));

  { const FileDescriptor gone = std::move(worker); }
  remove_dead_arenas();
  CHECK_FALSE(exists(held_arena));
  alive.remove();
  killed.open().remove();
}

TEST_CASE(
    "an arena of a place whose lock file names another one is swept, though the lock is held") {
  const Place place;
  std::string digits;
  {
    const ArenaStore first = place.open();
    digits = place.digits();
  }
  fs::remove(place.lock);
  const ArenaStore second = place.open();
  CHECK_FALSE(exists(arena_name(digits)));
  CHECK(exists(arena_name(place.digits())));
  second.remove();
}

}  // namespace
}  // namespace ovenbird
