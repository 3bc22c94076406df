// The file is read, not mapped: whoever cuts it short meanwhile causes an error, not a signal.
#include "client/session_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <utility>

#include "base/limits.h"
#include "base/sha256.h"
#include "base/shared_memory.h"
#include "wire/copied_once.h"

namespace ovenbird::client {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPartBytes = size_t{1} << 20;  // hashed and written together

Failure io(const std::string& step, int error) {
  return fail(Code::kIo, step + ": " + std::strerror(error));
}

wire::Digest digest_of(std::span<const std::byte> content) {
  Sha256 hash;
  hash.add(content);
  const std::string digits = hash.finish();
  wire::Digest digest;
  for (size_t i = 0; i < digest.size(); ++i) {
    digest[i] = static_cast<std::byte>(std::stoul(digits.substr(2 * i, 2), nullptr, 16));
  }
  return digest;
}

/// Errors: kCorrupt, kUnsupported.
Result<wire::SavedHeader> header_of(std::span<const std::byte> bytes) {
  const auto broken = [](const std::string& what) { return fail(Code::kCorrupt, what); };
  if (bytes.size() < sizeof(wire::SavedHeader)) return broken("it is shorter than its header");
  const auto header = wire::copied_once<wire::SavedHeader>(bytes);
  if (header.magic != wire::kSavedMagic) return broken("it is not a saved session");
  if (header.version != wire::kWireVersion) {
    return fail(Code::kUnsupported, "it is of version " + std::to_string(header.version) +
                                        "; this release knows " +
                                        std::to_string(wire::kWireVersion));
  }
  // First the factors, so that their product cannot overflow.
  const bool is_sound =
      header.tokens <= limits::kSessionTokensMax && header.rows <= limits::kContextMax &&
      header.tensors <= 2 * limits::kLayersMax && header.kv_heads <= limits::kHiddenMax &&
      header.row_bytes <= 4 * limits::kHiddenMax &&
      uint64_t{header.kv_heads} * header.row_bytes <= 4 * limits::kHiddenMax;
  if (!is_sound || header.total_bytes != bytes.size() || header.bytes() != bytes.size()) {
    return broken("it has " + std::to_string(bytes.size()) + " bytes, which is not what it says");
  }
  return header;
}

Status write_all(int file, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), std::min(bytes.size(), kPartBytes));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return io("write", errno);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return ok();
}

Status read_all(int file, std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = ::read(file, bytes.data(), std::min(bytes.size(), kPartBytes));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io("read", errno);
    if (got == 0) return fail(Code::kCorrupt, "it became shorter while it was read");
    bytes = bytes.subspan(static_cast<size_t>(got));
  }
  return ok();
}

/// A file beside the one that is meant, which is gone unless it takes that one's place.
class TemporaryFile {
 public:
  static Result<TemporaryFile> create(const fs::path& target) {
    std::string name = target.string() + ".XXXXXX";
    FileDescriptor file(::mkostemp(name.data(), O_CLOEXEC));
    if (!file) return io("make a file beside it", errno);
    return TemporaryFile(std::move(file), std::move(name));
  }
  TemporaryFile(TemporaryFile&& other) noexcept
      : file_(std::move(other.file_)), name_(std::exchange(other.name_, {})) {}
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  ~TemporaryFile() {
    if (!name_.empty()) ::unlink(name_.c_str());
  }

  int descriptor() const { return file_.get(); }

  Status take_place_of(const fs::path& target) {
    if (::fsync(file_.get()) != 0) return io("write it to the disk", errno);
    if (::rename(name_.c_str(), target.c_str()) != 0) return io("rename", errno);
    name_.clear();
    const fs::path folder = target.has_parent_path() ? target.parent_path() : fs::path(".");
    const FileDescriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory || ::fsync(directory.get()) != 0) {
      return io("write its directory to the disk", errno);
    }
    return ok();
  }

 private:
  TemporaryFile(FileDescriptor file, std::string name)
      : file_(std::move(file)), name_(std::move(name)) {}
  FileDescriptor file_;
  std::string name_;
};

Result<wire::SavedHeader> write(const fs::path& path, FileDescriptor saved) {
  const Result<SharedMemory> memory =
      SharedMemory::map_sealed(std::move(saved), limits::kSavedBytesMax);
  if (!memory) return Failure{memory.error()};
  const std::span<const std::byte> bytes = memory->bytes();
  Result<wire::SavedHeader> header = header_of(bytes);
  if (!header) return header;
  const auto content = bytes.subspan(sizeof(wire::SavedHeader));
  header->content = digest_of(content);
  Result<TemporaryFile> file = TemporaryFile::create(path);
  if (!file) return Failure{file.error()};
  Status written = write_all(file->descriptor(), std::as_bytes(std::span(&*header, 1)));
  if (written) written = write_all(file->descriptor(), content);
  if (written) written = file->take_place_of(path);
  if (!written) return Failure{written.error()};
  return header;
}

Result<FileDescriptor> read(const fs::path& path) {
  // Not blocked by a pipe that nobody writes to.
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) {
    return fail(errno == ENOENT ? Code::kNotFound : Code::kIo, std::strerror(errno));
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return io("look at it", errno);
  if (!S_ISREG(status.st_mode)) return fail(Code::kIo, "it is not a regular file");
  const auto size = static_cast<uint64_t>(status.st_size);
  if (size < sizeof(wire::SavedHeader) || size > limits::kSavedBytesMax) {
    return fail(Code::kCorrupt, "it has " + std::to_string(size) + " bytes, which no session has");
  }
  Result<SharedMemory> memory = SharedMemory::create_sealable(size);
  if (!memory) return Failure{memory.error()};
  if (Status done = read_all(file.get(), memory->bytes()); !done) return Failure{done.error()};
  const Result<wire::SavedHeader> header = header_of(memory->bytes());
  if (!header) return Failure{header.error()};
  if (header->content != digest_of(memory->bytes().subspan(sizeof(wire::SavedHeader)))) {
    return fail(Code::kCorrupt, "its bytes are not those that were written: it is damaged");
  }
  return SharedMemory::seal(std::move(*memory));
}

}  // namespace

Result<wire::SavedHeader> write_session_file(const fs::path& path, FileDescriptor saved) {
  Result<wire::SavedHeader> written = write(path, std::move(saved));
  if (!written) return fail_in("save session to " + path.string(), written.error());
  return written;
}

Result<FileDescriptor> read_session_file(const fs::path& path) {
  Result<FileDescriptor> memory = read(path);
  if (!memory) return fail_in("load session from " + path.string(), memory.error());
  return memory;
}

}  // namespace ovenbird::client
