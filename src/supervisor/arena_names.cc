// Names in /dev/shm, and lock files.
#include "supervisor/arena_names.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <thread>

#include "wire/version.h"

namespace ovenbird {
namespace {

constexpr int kLockAttempts = 20;
constexpr std::chrono::milliseconds kLockPause{10};

constexpr std::string_view kPrefix = "ovenbird-";
constexpr std::string_view kMagic = "ovenbird";
constexpr size_t kDigits = 32;

bool are_digits(std::string_view text) {
  return text.size() == kDigits && text.find_first_not_of("0123456789abcdef") == text.npos;
}

/// What stands in a lock file.
struct LockFileContent {
  std::array<char, 8> magic{};
  uint32_t version = 0;
  std::array<char, kDigits> digits{};
};
static_assert(sizeof(LockFileContent) == 44);

Failure trouble(const std::string& path, int error) {
  return fail(Code::kIo, "lock " + path + ": " + std::strerror(error));
}

/// Whether `descriptor` is still the file at `path`: another supervisor may have removed it between
/// our opening and locking it.
bool is_still_there(const FileDescriptor& descriptor, const std::string& path) {
  struct stat opened {};
  struct stat there {};
  return ::fstat(descriptor.get(), &opened) == 0 && ::stat(path.c_str(), &there) == 0 &&
         opened.st_ino == there.st_ino && opened.st_dev == there.st_dev;
}

}  // namespace

std::string arena_name(const std::string& digits) { return "/" + std::string(kPrefix) + digits; }

std::string record_name(const std::string& digits, uint64_t session) {
  return arena_name(digits) + "-" + std::to_string(session);
}

std::string digits_of_record(std::string_view name) {
  if (!name.starts_with(kPrefix)) return "";
  name.remove_prefix(kPrefix.size());
  if (name.size() < kDigits + 2 || name[kDigits] != '-') return "";
  const std::string_view digits = name.substr(0, kDigits);
  return are_digits(digits) ? std::string(digits) : "";
}

ObjectNames list_objects() {
  ObjectNames names;
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator("/dev/shm", error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (!name.starts_with(kPrefix)) continue;
    if (are_digits(std::string_view(name).substr(kPrefix.size()))) {
      names.arenas.push_back(name.substr(kPrefix.size()));
    } else if (!digits_of_record(name).empty()) {
      names.records.push_back(name);
    }
  }
  return names;
}

Result<FileDescriptor> take_lock_file(const std::string& path) {
  for (int attempt = 1;; ++attempt) {
    FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return trouble(path, errno);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) {
      if (is_still_there(file, path)) return file;
      continue;
    }
    if (errno != EWOULDBLOCK) return trouble(path, errno);
    // One who starts elsewhere holds it for a moment, to see whether it is held.
    if (attempt >= kLockAttempts) {
      return fail(Code::kBusy, "lock " + path + ": another supervisor serves this socket");
    }
    std::this_thread::sleep_for(kLockPause);
  }
}

std::optional<std::string> digits_in(const FileDescriptor& lock_file) {
  LockFileContent content;
  const bool is_whole =
      ::pread(lock_file.get(), &content, sizeof content, 0) == ssize_t{sizeof content};
  const std::string digits(content.digits.begin(), content.digits.end());
  const bool is_ours = std::equal(kMagic.begin(), kMagic.end(), content.magic.begin());
  if (!is_whole || !is_ours || content.version != wire::kWireVersion || !are_digits(digits)) {
    return std::nullopt;
  }
  return digits;
}

Status write_digits(const FileDescriptor& lock_file, const std::string& digits) {
  LockFileContent content{.version = wire::kWireVersion};
  kMagic.copy(content.magic.data(), kMagic.size());
  digits.copy(content.digits.data(), kDigits);
  if (::pwrite(lock_file.get(), &content, sizeof content, 0) == ssize_t{sizeof content}) {
    return ok();
  }
  return fail(Code::kIo, std::string("write lock file: ") + std::strerror(errno));
}

LockState look_at_lock_file(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return {};
  const bool is_free = ::flock(file.get(), LOCK_SH | LOCK_NB) == 0;
  return {.is_held = !is_free, .digits = digits_in(file)};
}

}  // namespace ovenbird
