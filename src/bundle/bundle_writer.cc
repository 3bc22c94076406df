// Staging directory, fsync, rename: the order that makes a bundle whole or absent.
#include "bundle/bundle_writer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#ifndef RENAME_EXCHANGE
#include <linux/fs.h>
#endif

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBufferBytes = 1 << 20;
constexpr uint64_t kWriteBackBytes = 32 << 20;
constexpr size_t kRandomLetters = 6;  // mkdtemp's
constexpr int kStagingAttempts = 10;

Failure io_failure(const char* step, const fs::path& path, int error) {
  return fail(Code::kIo, std::string(step) + " " + path.string() + ": " + std::strerror(error));
}

Status write_all(int file, const fs::path& path, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return io_failure("write", path, errno);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return ok();
}

Status sync_directory(const fs::path& path) {
  const FileDescriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0) return io_failure("sync", path, errno);
  return ok();
}

fs::path parent_of(const fs::path& target) {
  return target.has_parent_path() ? target.parent_path() : fs::path(".");
}

std::string staging_prefix(const fs::path& target) {
  return "." + target.filename().string() + ".baking-";
}

/// Opens and locks a staging directory; an empty descriptor if somebody else has it.
FileDescriptor lock_directory(const fs::path& path) {
  FileDescriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  const bool locked = directory && ::flock(directory.get(), LOCK_EX | LOCK_NB) == 0;
  return locked ? std::move(directory) : FileDescriptor(-1);
}

/// Removes what killed writers of the same target left behind.
void remove_stale_staging(const fs::path& target) {
  const std::string prefix = staging_prefix(target);
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator entry(parent_of(target), error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    const bool ours = name.starts_with(prefix) && name.size() == prefix.size() + kRandomLetters;
    if (ours) found.push_back(entry->path());
  }
  for (const fs::path& path : found) {
    if (const FileDescriptor lock = lock_directory(path)) fs::remove_all(path, error);
  }
}

struct Staging {
  fs::path path;
  FileDescriptor lock;
};

/// A new, locked directory beside the target. Between making and locking it another writer may take
/// it for a dead one's and remove it: then another is made.
Result<Staging> make_staging(const fs::path& target) {
  for (int attempt = 0; attempt < kStagingAttempts; ++attempt) {
    std::string path =
        (parent_of(target) / (staging_prefix(target) + std::string(kRandomLetters, 'X'))).string();
    if (!::mkdtemp(path.data())) return io_failure("make directory", path, errno);
    FileDescriptor lock = lock_directory(path);
    struct stat facts;
    const bool ours = lock && ::fstat(lock.get(), &facts) == 0 && facts.st_nlink > 0;
    if (ours) return Staging{.path = path, .lock = std::move(lock)};
    std::error_code ignored;
    fs::remove(path, ignored);
  }
  return io_failure("lock a directory beside", target, EWOULDBLOCK);
}

Status check_target(const fs::path& target, bool replace) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(target, error);
  if (!fs::exists(status)) return ok();
  if (!replace) {
    return fail(Code::kInvalidArgument, "write bundle " + target.string() +
                                            ": it exists; choose another -o, or --force replaces "
                                            "a bundle");
  }
  if (fs::exists(target / kManifestName, error)) return ok();
  return fail(Code::kInvalidArgument, "replace " + target.string() + ": it is not a bundle (no " +
                                          kManifestName + " in it); remove it yourself");
}

}  // namespace

BundleFile::BundleFile(fs::path path, FileDescriptor file)
    : path_(std::move(path)), file_(std::move(file)) {
  buffer_.reserve(kBufferBytes);
}

Status BundleFile::append(std::span<const std::byte> bytes) {
  bytes_ += bytes.size();
  hash_.add(bytes);
  if (buffer_.size() + bytes.size() > kBufferBytes) {
    if (Status flushed = flush(); !flushed) return flushed;
  }
  if (bytes.size() > kBufferBytes) return write(bytes);
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  return ok();
}

Status BundleFile::align(uint64_t alignment) {
  const uint64_t rest = bytes_ % alignment;
  if (rest == 0) return ok();
  return append(std::vector<std::byte>(alignment - rest));
}

Status BundleFile::flush() {
  Status written = write(buffer_);
  buffer_.clear();
  return written;
}

/// Lets the disk begin while more is made, so that the sync at the end finds little left to do.
Status BundleFile::write(std::span<const std::byte> bytes) {
  if (Status done = write_all(file_.get(), path_, bytes); !done) return done;
  written_ += bytes.size();
  if (written_ - begun_ < kWriteBackBytes) return ok();
  // A file system that cannot is slower at the end, and no worse.
  (void)::sync_file_range(file_.get(), static_cast<off64_t>(begun_),
                          static_cast<off64_t>(written_ - begun_), SYNC_FILE_RANGE_WRITE);
  begun_ = written_;
  return ok();
}

BundleWriter::BundleWriter(fs::path target, bool replace, fs::path staging, FileDescriptor lock)
    : target_(std::move(target)),
      replace_(replace),
      staging_(std::move(staging)),
      lock_(std::move(lock)) {}

Result<BundleWriter> BundleWriter::create(const fs::path& wanted, bool replace) {
  // "dir/" and "dir" are the same target; a path without a last component has no sibling.
  const fs::path target = wanted.has_filename() ? wanted : wanted.parent_path();
  if (!target.has_filename() || target.filename() == "." || target.filename() == "..") {
    return fail(Code::kInvalidArgument,
                "write bundle " + wanted.string() + ": name the directory that is to be made");
  }
  if (Status usable = check_target(target, replace); !usable) return Failure{usable.error()};
  std::error_code error;
  fs::create_directories(parent_of(target), error);
  if (error) return io_failure("make directory", parent_of(target), error.value());
  remove_stale_staging(target);

  Result<Staging> staging = make_staging(target);
  if (!staging) return Failure{staging.error()};
  return BundleWriter(target, replace, staging->path, std::move(staging->lock));
}

BundleWriter::~BundleWriter() {
  std::error_code ignored;
  // A moved-from writer has no path and no lock: it owns nothing.
  if (lock_ && !staging_.empty()) fs::remove_all(staging_, ignored);
}

Result<BundleFile> BundleWriter::add(const std::string& name) {
  const fs::path path = staging_ / name;
  FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file) return io_failure("create", path, errno);
  return BundleFile(path, std::move(file));
}

Status BundleWriter::close(BundleFile file) {
  if (Status flushed = file.flush(); !flushed) return flushed;
  if (::fsync(file.file_.get()) != 0) return io_failure("sync", file.path_, errno);
  files_.push_back({.name = file.path_.filename().string(),
                    .bytes = file.bytes_,
                    .sha256 = file.hash_.finish()});
  return ok();
}

Status BundleWriter::add_whole(const std::string& name, std::string_view content) {
  Result<BundleFile> file = add(name);
  if (!file) return Failure{file.error()};
  if (Status appended = file->append(content); !appended) return appended;
  return close(std::move(*file));
}

Status BundleWriter::commit(Manifest manifest) {
  manifest.files = files_;
  if (Status added = add_whole(kManifestName, to_json(manifest)); !added) return added;
  if (::chmod(staging_.c_str(), 0755) != 0) return io_failure("chmod", staging_, errno);
  if (Status synced = sync_directory(staging_); !synced) return synced;

  std::error_code error;
  if (replace_ && fs::exists(fs::symlink_status(target_, error))) {
    // One system call swaps old and new: at no moment is there neither.
    if (::renameat2(AT_FDCWD, staging_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) != 0) {
      return io_failure("replace", target_, errno);
    }
    fs::remove_all(staging_, error);
  } else if (::rename(staging_.c_str(), target_.c_str()) != 0) {
    // A directory that came to be there meanwhile stays, unless it is empty.
    return io_failure("rename to", target_, errno);
  }
  staging_.clear();
  return sync_directory(parent_of(target_));
}

}  // namespace ovenbird
