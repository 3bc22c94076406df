// Making, taking over and sweeping.
#include "supervisor/arena_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <optional>
#include <utility>

#include "supervisor/arena_names.h"

namespace ovenbird {
namespace {

constexpr time_t kUnfinishedAge = 60;  // seconds after which nobody is still making an arena

/// Waits until no worker holds the arena: one whose supervisor was killed dies at once, but not
/// before it has left the kernel.
Status wait_for_workers(const SharedMemory& memory) {
  const std::string path = "/proc/self/fd/" + std::to_string(memory.descriptor().get());
  const FileDescriptor own(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  int locked = own ? -1 : 1;
  while (locked < 0 && (locked = ::flock(own.get(), LOCK_EX)) < 0 && errno == EINTR) {
  }
  if (locked == 0) return ok();
  return fail(Code::kIo, std::string("lock arena: ") + std::strerror(errno));
}

void remove_records_of(const std::string& digits, const ObjectNames& names) {
  for (const std::string& record : names.records) {
    if (digits_of_record(record) == digits) static_cast<void>(SharedMemory::remove("/" + record));
  }
}

void remove_all_of(const std::string& digits) {
  remove_records_of(digits, list_objects());
  static_cast<void>(SharedMemory::remove(arena_name(digits)));
}

struct Found {
  SharedMemory memory;
  wire::Arena arena;
};

/// The arena that a lock file names, if it is one of this shape.
std::optional<Found> find_arena(const std::string& digits, const wire::ArenaShape& shape) {
  Result<SharedMemory> memory = SharedMemory::open(arena_name(digits), Access::kReadWrite);
  if (!memory) return std::nullopt;
  const Result<wire::Arena> arena = wire::Arena::open(memory->bytes());
  if (!arena || !(arena->shape() == shape)) return std::nullopt;
  if (!wait_for_workers(*memory)) return std::nullopt;
  return Found{.memory = std::move(*memory), .arena = *arena};
}

/// Whether an arena is of no use to anybody: see remove_dead_arenas().
bool is_dead(const std::string& digits) {
  const Result<SharedMemory> memory = SharedMemory::open(arena_name(digits), Access::kRead);
  if (!memory) return false;
  const int descriptor = memory->descriptor().get();
  const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
  const FileDescriptor own(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!own || ::flock(own.get(), LOCK_SH | LOCK_NB) != 0) return false;  // a worker lives
  const Result<wire::Arena> arena = wire::Arena::open(memory->bytes());
  if (!arena) {
    struct stat status {};
    return ::fstat(descriptor, &status) == 0 &&
           ::time(nullptr) - status.st_ctim.tv_sec > kUnfinishedAge;
  }
  const LockState lock = look_at_lock_file(arena->shape().lock_path);
  // One who holds a file without digits is about to write them.
  return lock.digits ? *lock.digits != digits : !lock.is_held;
}

}  // namespace

ArenaStore::ArenaStore(std::string digits, std::string lock_path, FileDescriptor lock,
                       SharedMemory memory, const wire::Arena& arena, bool is_taken_over)
    : digits_(std::move(digits)),
      lock_path_(std::move(lock_path)),
      lock_(std::move(lock)),
      memory_(std::move(memory)),
      arena_(arena),
      is_taken_over_(is_taken_over) {}

Result<ArenaStore> ArenaStore::open(wire::ArenaShape shape, const std::string& lock_path) {
  const size_t bytes = wire::Arena::bytes_for(shape);
  if (lock_path.empty()) {
    Result<SharedMemory> memory = SharedMemory::create_unnamed(bytes);
    if (!memory) return fail_in("make the arena", memory.error());
    const wire::Arena arena = wire::Arena::create(memory->bytes(), shape);
    return ArenaStore("", "", FileDescriptor(-1), std::move(*memory), arena, false);
  }
  shape.lock_path = lock_path;
  Result<FileDescriptor> lock = take_lock_file(lock_path);
  if (!lock) return Failure{lock.error()};
  if (const std::optional<std::string> digits = digits_in(*lock)) {
    if (std::optional<Found> found = find_arena(*digits, shape)) {
      const wire::Arena arena = found->arena;
      return ArenaStore(*digits, lock_path, std::move(*lock), std::move(found->memory), arena,
                        true);
    }
    remove_all_of(*digits);
  }
  const Result<std::string> digits = unguessable_name();
  if (!digits) return Failure{digits.error()};
  // The file first: an arena that it does not name is nobody's, from its first moment on.
  if (Status written = write_digits(*lock, *digits); !written) return Failure{written.error()};
  remove_dead_arenas();  // before the memory is needed
  Result<SharedMemory> memory = SharedMemory::create(arena_name(*digits), bytes);
  if (!memory) {
    ::unlink(lock_path.c_str());
    return fail_in("make the arena", memory.error());
  }
  const wire::Arena arena = wire::Arena::create(memory->bytes(), shape);
  return ArenaStore(*digits, lock_path, std::move(*lock), std::move(*memory), arena, false);
}

std::string ArenaStore::record_name(uint64_t session) const {
  return ovenbird::record_name(digits_, session);
}

Result<SharedMemory> ArenaStore::create_record(uint64_t session, size_t bytes) const {
  return digits_.empty() ? SharedMemory::create_unnamed(bytes)
                         : SharedMemory::create(record_name(session), bytes);
}

Result<SharedMemory> ArenaStore::open_record(uint64_t session) const {
  return SharedMemory::open(record_name(session), Access::kReadWrite);
}

void ArenaStore::remove_records_but(const std::set<uint64_t>& sessions) const {
  if (digits_.empty()) return;
  std::set<std::string> kept;
  for (const uint64_t session : sessions) kept.insert(record_name(session));
  for (const std::string& record : list_objects().records) {
    const std::string name = "/" + record;
    if (digits_of_record(record) != digits_ || kept.count(name) != 0) continue;
    static_cast<void>(SharedMemory::remove(name));
  }
}

void ArenaStore::remove_record(uint64_t session) const {
  if (!digits_.empty()) static_cast<void>(SharedMemory::remove(record_name(session)));
}

void ArenaStore::remove() const {
  if (digits_.empty()) return;
  remove_all_of(digits_);
  ::unlink(lock_path_.c_str());
}

void remove_dead_arenas() {
  const ObjectNames names = list_objects();
  for (const std::string& digits : names.arenas) {
    if (!is_dead(digits)) continue;
    remove_records_of(digits, names);
    static_cast<void>(SharedMemory::remove(arena_name(digits)));
  }
  for (const std::string& record : names.records) {
    // An arena is there before its records: one that is not there now has gone.
    const std::string arena = arena_name(digits_of_record(record));
    const Result<SharedMemory> memory = SharedMemory::open(arena, Access::kRead);
    if (memory || memory.error().code != Code::kNotFound) continue;
    static_cast<void>(SharedMemory::remove("/" + record));
  }
}

}  // namespace ovenbird
