// Anonymous mappings.
#include "base/page_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace ovenbird {

size_t round_up_to_page(size_t bytes) {
  static const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

Result<PageMemory> PageMemory::allocate(size_t bytes, Pages pages) {
  if (bytes == 0) return PageMemory();
  const size_t size = round_up_to_page(bytes);
  // Without a reservation: a cache for a long context is mostly never touched.
  void* start = ::mmap(
      nullptr, size, PROT_READ | PROT_WRITE,
      (pages == Pages::kShared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED) {
    return fail(Code::kIo, "allocate " + std::to_string(size) + " bytes: " + std::strerror(errno));
  }
  return PageMemory({static_cast<std::byte*>(start), size});
}

PageMemory::~PageMemory() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

}  // namespace ovenbird
