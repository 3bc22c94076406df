// Files of a machine that may be broken: read in bounds, without waiting, and never in vain.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace ovenbird {

/// How an attempt to read something ended. Each but kRead is a fact about the machine as well.
enum class Reading { kRead, kMissing, kDenied, kTooLarge, kUnreadable };

/// "it is not there", "it may not be read", ...: for a finding.
const char* words_for(Reading reading);

struct FileText {
  Reading reading = Reading::kMissing;
  std::string text;  // empty unless kRead
};

/// The whole file; kTooLarge if it has more than `bytes_max`. Only regular files (those of /proc
/// and /sys are) are opened, so that no pipe or device is waited for.
FileText read_probed_file(const std::filesystem::path& path, size_t bytes_max);

/// Its first bytes only.
FileText read_beginning(const std::filesystem::path& path, size_t bytes_max);

/// Its last bytes only, from the beginning of a line.
FileText read_end(const std::filesystem::path& path, size_t bytes_max);

/// Names in a directory, sorted; those beyond limits::kProbedEntriesMax are left out.
struct DirectoryNames {
  Reading reading = Reading::kMissing;
  std::vector<std::string> names;
};
DirectoryNames list_directory(const std::filesystem::path& path);

}  // namespace ovenbird
