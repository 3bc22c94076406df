// Writes a blob piece by piece, hashing on the way.
#include "hub/partial_blob.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

namespace ovenbird {
namespace {

constexpr size_t kReadBytes = 1 << 20;
constexpr mode_t kMode = 0666;  // less the user's mask, as any file

}  // namespace

PartialBlob::PartialBlob(FileDescriptor file, std::filesystem::path path, const FileFacts& facts)
    : file_(std::move(file)),
      path_(std::move(path)),
      facts_(facts),
      hash_(facts.etag, facts.size) {}

Failure PartialBlob::failed(const std::string& what) const {
  return fail(Code::kIo, what + " " + path_.string() + ": " + std::strerror(errno));
}

Result<PartialBlob> PartialBlob::open(const std::filesystem::path& path, const FileFacts& facts) {
  // Never through a link: what is written is named by the hub alone.
  const int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
  PartialBlob blob(FileDescriptor(::open(path.c_str(), flags, kMode)), path, facts);
  if (!blob.file_) return blob.failed("open");
  if (Status taken = blob.take_over(); !taken) return Failure{taken.error()};
  return blob;
}

Status PartialBlob::take_over() {
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) return failed("open");
  if (!S_ISREG(status.st_mode) || static_cast<uint64_t>(status.st_size) > facts_.size) {
    return restart();
  }
  std::vector<std::byte> buffer(kReadBytes);
  for (;;) {
    const ssize_t count =
        ::pread(file_.get(), buffer.data(), buffer.size(), static_cast<off_t>(bytes_));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed("read");
    if (count == 0) return ok();
    hash_.add({buffer.data(), static_cast<size_t>(count)});
    bytes_ += static_cast<uint64_t>(count);
  }
}

Status PartialBlob::append(std::span<const std::byte> bytes) {
  if (bytes.size() > facts_.size - bytes_) {
    return fail(Code::kCorrupt, "more bytes came than the " + std::to_string(facts_.size) +
                                    " that the hub promised; run this again");
  }
  while (!bytes.empty()) {
    const ssize_t count =
        ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(bytes_));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed("write");
    hash_.add(bytes.first(static_cast<size_t>(count)));
    bytes_ += static_cast<uint64_t>(count);
    bytes = bytes.subspan(static_cast<size_t>(count));
  }
  return ok();
}

Status PartialBlob::restart() {
  if (::ftruncate(file_.get(), 0) != 0) return failed("empty");
  hash_ = ContentHash(facts_.etag, facts_.size);
  bytes_ = 0;
  return ok();
}

Status PartialBlob::become(const std::filesystem::path& path) {
  if (!hash_.is_right()) {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
    return fail(Code::kCorrupt,
                "the bytes that came are not those that the hub promised: their "
                "hash is " +
                    hash_.found() + ", not " + facts_.etag +
                    "; run this again, without a mirror or proxy on the way");
  }
  // First the bytes, then the name: a machine that loses power keeps no name without them.
  if (::fdatasync(file_.get()) != 0) return failed("write");
  std::error_code error;
  std::filesystem::rename(path_, path, error);
  if (error) {
    return fail(Code::kIo, "rename " + path_.string() + " to " + path.filename().string() + ": " +
                               error.message());
  }
  return ok();
}

}  // namespace ovenbird
