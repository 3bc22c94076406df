// flock(2), as Python's filelock takes it too.
#include "hub/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

namespace ovenbird {
namespace {

constexpr std::chrono::milliseconds kAskAgainAfter{50};
// As huggingface_hub makes them: users of one group may share a cache.
constexpr mode_t kMode = 0664;

/// Whether `path` still names the open file: a holder may remove its lock file when it is done.
bool is_still_there(const FileDescriptor& file, const std::filesystem::path& path) {
  struct stat open {};
  struct stat named {};
  return ::fstat(file.get(), &open) == 0 && ::stat(path.c_str(), &named) == 0 &&
         open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

Failure cannot_lock(const std::filesystem::path& path) {
  return fail(Code::kIo, "lock " + path.string() + ": " + std::strerror(errno));
}

}  // namespace

Result<FileLock> FileLock::take(const std::filesystem::path& path, const std::atomic<bool>& stop) {
  while (!stop) {
    FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kMode));
    if (!file) return cannot_lock(path);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) {
      if (is_still_there(file, path)) return FileLock(std::move(file));
      continue;
    }
    if (errno != EWOULDBLOCK && errno != EINTR) return cannot_lock(path);
    std::this_thread::sleep_for(kAskAgainAfter);
  }
  return fail(Code::kInterrupted, "interrupted while another program downloads the same file");
}

}  // namespace ovenbird
