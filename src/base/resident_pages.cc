// Mappings are found in /proc/self/maps: START-END PERMISSIONS OFFSET DEVICE INODE PATH.
#include "base/resident_pages.h"

#include <sys/mman.h>

#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <system_error>

namespace ovenbird {

void drop_resident_pages(const std::filesystem::path& directory) {
  std::error_code error;
  const std::string prefix = " " + std::filesystem::canonical(directory, error).string() + "/";
  if (error) return;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    uintptr_t start = 0;
    uintptr_t end = 0;
    char permissions[5] = {};
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %4s", &start, &end, permissions) !=
        3) {
      continue;
    }
    // A mapping that may be written could hold changes that are nowhere else.
    if (permissions[1] == 'w' || line.find(prefix) == std::string::npos) continue;
    // Advice only: failing changes nothing but memory use.
    ::madvise(reinterpret_cast<void*>(start), end - start, MADV_DONTNEED);
  }
}

PageDropper::PageDropper(const MappedFile& file) : file_(file), thread_([this] { run(); }) {}

PageDropper::~PageDropper() {
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  wake_.notify_one();
  thread_.join();
  file_.release(file_.bytes());
}

void PageDropper::run() {
  // Each time, pages that are read once more have to be mapped again: often enough to keep few of
  // them, seldom enough that it costs little (at 10 ms a start took twice as long).
  constexpr std::chrono::milliseconds kInterval{60};
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kInterval, [this] { return done_; })) {
    file_.release(file_.bytes());
  }
}

}  // namespace ovenbird
