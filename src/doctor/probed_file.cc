// Bounded reads of files that may be anything.
#include "doctor/probed_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/file_descriptor.h"
#include "base/limits.h"

namespace ovenbird {
namespace {

namespace fs = std::filesystem;

enum class Part { kWhole, kBeginning, kEnd };

Reading reading_of(int error) {
  if (error == ENOENT || error == ENOTDIR) return Reading::kMissing;
  return error == EACCES || error == EPERM ? Reading::kDenied : Reading::kUnreadable;
}

/// Reads until `bytes_max` bytes are there or the file ends. False: an error, in errno.
bool read_up_to(int file, size_t bytes_max, std::string& text) {
  while (text.size() < bytes_max) {
    const size_t old_bytes = text.size();
    const size_t wanted = std::min<size_t>(bytes_max - old_bytes, 1 << 16);
    text.resize(old_bytes + wanted);
    const ssize_t bytes = ::read(file, text.data() + old_bytes, wanted);
    text.resize(old_bytes + static_cast<size_t>(std::max<ssize_t>(bytes, 0)));
    if (bytes == 0) return true;
    if (bytes < 0 && errno != EINTR) return false;
  }
  return true;
}

FileText read_part(const fs::path& path, size_t bytes_max, Part part) {
  // Looked at before it is opened: opening a device may do something.
  struct stat facts;
  if (::stat(path.c_str(), &facts) != 0) return {.reading = reading_of(errno)};
  if (!S_ISREG(facts.st_mode)) return {.reading = Reading::kUnreadable};
  if (part == Part::kWhole && facts.st_size > static_cast<off_t>(bytes_max)) {
    return {.reading = Reading::kTooLarge};
  }
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file) return {.reading = reading_of(errno)};
  const bool starts_inside = part == Part::kEnd && facts.st_size > static_cast<off_t>(bytes_max);
  if (starts_inside) {
    const off_t begin = facts.st_size - static_cast<off_t>(bytes_max);
    if (::lseek(file.get(), begin, SEEK_SET) != begin) return {.reading = reading_of(errno)};
  }
  FileText read{.reading = Reading::kRead};
  if (!read_up_to(file.get(), part == Part::kWhole ? bytes_max + 1 : bytes_max, read.text)) {
    return {.reading = reading_of(errno)};
  }
  if (read.text.size() > bytes_max) return {.reading = Reading::kTooLarge};
  if (starts_inside) read.text.erase(0, std::min(read.text.find('\n'), read.text.size()));
  return read;
}

}  // namespace

const char* words_for(Reading reading) {
  switch (reading) {
    case Reading::kRead:
      return "it was read";
    case Reading::kMissing:
      return "it is not there";
    case Reading::kDenied:
      return "it may not be read";
    case Reading::kTooLarge:
      return "it is absurdly large";
    case Reading::kUnreadable:
      break;
  }
  return "it cannot be read";
}

FileText read_probed_file(const fs::path& path, size_t bytes_max) {
  return read_part(path, bytes_max, Part::kWhole);
}

FileText read_beginning(const fs::path& path, size_t bytes_max) {
  return read_part(path, bytes_max, Part::kBeginning);
}

FileText read_end(const fs::path& path, size_t bytes_max) {
  return read_part(path, bytes_max, Part::kEnd);
}

DirectoryNames list_directory(const fs::path& path) {
  std::error_code error;
  fs::directory_iterator entry(path, error);
  if (error) return {.reading = reading_of(error.value())};
  DirectoryNames list{.reading = Reading::kRead};
  for (const fs::directory_iterator end; entry != end && !error; entry.increment(error)) {
    if (list.names.size() == limits::kProbedEntriesMax) break;
    list.names.push_back(entry->path().filename().string());
  }
  std::sort(list.names.begin(), list.names.end());
  return list;
}

}  // namespace ovenbird
