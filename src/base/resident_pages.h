// Letting go of file pages that have served their purpose.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

namespace ovenbird {

/// Asks the system to take back the memory behind every read-only mapping that this process has of
/// files below `directory`, whoever mapped them. The bytes stay readable: touching them reads the
/// file again. For a library that maps a large file, copies what it needs, and keeps the mapping.
void drop_resident_pages(const std::filesystem::path& directory);

/// While it lives, drops pages every few milliseconds, so that a library which reads large files
/// from front to back never has many of their pages in memory at once; and once more at its end.
class PageDropper {
 public:
  explicit PageDropper(std::filesystem::path directory);
  ~PageDropper();

 private:
  void run();

  const std::filesystem::path directory_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace ovenbird
