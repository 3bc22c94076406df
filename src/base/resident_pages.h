// Letting go of file pages that have served their purpose.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include "base/mapped_file.h"

namespace ovenbird {

/// Asks the system to take back the memory behind every read-only mapping that this process has of
/// files below `directory`, whoever mapped them. The bytes stay readable: touching them reads the
/// file again. For a library that maps a large file, copies what it needs, and keeps the mapping.
///
/// No other thread may unmap one of these files meanwhile: whatever it then mapped at that address
/// would lose its content. The caller holds a lock around all that maps and unmaps them.
void drop_resident_pages(const std::filesystem::path& directory);

/// While it lives, drops a file's pages every few milliseconds, so that a library which reads it
/// from front to back never has many of them in memory at once; and once more at its end. The file
/// must outlive it.
class PageDropper {
 public:
  explicit PageDropper(const MappedFile& file);
  ~PageDropper();

 private:
  void run();

  const MappedFile& file_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace ovenbird
