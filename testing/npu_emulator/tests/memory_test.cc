// Memory: what may be allocated, what may be imported in place and what not, what is known of an
// address, and what a limit refuses.
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "driver.h"
#include "own_process.h"

namespace npu_emulator {
namespace {

constexpr size_t kPage = 4096;

/// Mapped pages of the test's own.
struct Pages {
  explicit Pages(size_t count, int access = PROT_READ | PROT_WRITE) : bytes(count * kPage) {
    start = static_cast<char*>(::mmap(nullptr, bytes, access, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REQUIRE(start != MAP_FAILED);
  }
  ~Pages() { ::munmap(start, bytes); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  size_t bytes;
  char* start;
};

ZeResult import(void* address, size_t bytes, uint32_t flags = 0) {
  ZeImportUserMemory import{
      .header = {kZeImportUserMemory, nullptr}, .address = address, .bytes = bytes};
  const ZeHostMemoryDesc desc{.header = {0, &import.header}, .flags = flags};
  void* given = nullptr;
  const ZeResult result = driver().allocate(nullptr, &desc, bytes, kPage, &given);
  if (result == ZeResult::kSuccess) CHECK(given == address);
  return result;
}

ZeResult allocate(size_t bytes, size_t alignment, void** address) {
  const ZeHostMemoryDesc desc{};
  return driver().allocate(nullptr, &desc, bytes, alignment, address);
}

ZeResult import_descriptor(int fd, size_t bytes, void** address) {
  ZeImportDescriptor import{.header = {kZeImportDescriptor, nullptr}, .flags = 0, .fd = fd};
  const ZeHostMemoryDesc desc{.header = {0, &import.header}, .flags = 0};
  return driver().allocate(nullptr, &desc, bytes, kPage, address);
}

ZeResult free(void* address) { return driver().free(nullptr, address); }

uint64_t id_of(const void* address) {
  ZeAllocationProperties properties{};
  REQUIRE(driver().get_allocation(nullptr, address, &properties, nullptr) == ZeResult::kSuccess);
  CHECK((properties.id != 0) == (properties.type == kZeMemoryHost));
  return properties.id;
}

TEST_CASE("an allocation is whole pages of zeros, aligned as asked") {
  for (const size_t alignment : {size_t{0}, size_t{1}, size_t{64}, kPage, 16 * kPage}) {
    void* address = nullptr;
    REQUIRE(allocate(kPage + 1, alignment, &address) == ZeResult::kSuccess);
    CHECK(reinterpret_cast<uintptr_t>(address) % std::max(alignment, kPage) == 0);
    const auto* bytes = static_cast<const char*>(address);
    CHECK(std::all_of(bytes, bytes + 2 * kPage, [](char byte) { return byte == 0; }));
    void* start = nullptr;
    size_t size = 0;
    CHECK(driver().get_address_range(nullptr, bytes + kPage + 7, &start, &size) ==
          ZeResult::kSuccess);
    CHECK(start == address);
    CHECK(size == 2 * kPage);
    CHECK(free(address) == ZeResult::kSuccess);
  }
}

TEST_CASE("an allocation that cannot be is refused") {
  void* address = nullptr;
  CHECK(allocate(0, 0, &address) == ZeResult::kUnsupportedSize);
  CHECK(allocate((size_t{4} << 30) + 1, 0, &address) == ZeResult::kUnsupportedSize);
  CHECK(allocate(SIZE_MAX, 0, &address) == ZeResult::kUnsupportedSize);
  CHECK(allocate(kPage, 48, &address) == ZeResult::kUnsupportedAlignment);
  CHECK(allocate(kPage, 0, nullptr) == ZeResult::kInvalidNullPointer);
  CHECK(driver().allocate(nullptr, nullptr, kPage, 0, &address) == ZeResult::kInvalidNullPointer);
  CHECK(address == nullptr);
}

TEST_CASE("memory is known by every address in it and by none beside it") {
  Pages pages(3);
  char* middle = pages.start + kPage;
  REQUIRE(import(middle, kPage) == ZeResult::kSuccess);
  const uint64_t id = id_of(middle);
  CHECK(id != 0);
  CHECK(id_of(middle + kPage - 1) == id);
  CHECK(id_of(middle - 1) == 0);
  CHECK(id_of(middle + kPage) == 0);
  void* start = nullptr;
  size_t bytes = 0;
  CHECK(driver().get_address_range(nullptr, middle + 5, &start, &bytes) == ZeResult::kSuccess);
  CHECK(start == middle);
  CHECK(bytes == kPage);
  CHECK(driver().get_address_range(nullptr, middle + kPage, &start, &bytes) ==
        ZeResult::kInvalidArgument);
  CHECK(driver().get_address_range(nullptr, middle, nullptr, nullptr) == ZeResult::kSuccess);
  CHECK(free(middle) == ZeResult::kSuccess);
  CHECK(id_of(middle) == 0);
}

TEST_CASE("memory is freed once and by its start") {
  Pages pages(2);
  REQUIRE(import(pages.start, pages.bytes) == ZeResult::kSuccess);
  CHECK(free(pages.start + kPage) == ZeResult::kInvalidArgument);
  CHECK(free(pages.start) == ZeResult::kSuccess);
  CHECK(free(pages.start) == ZeResult::kInvalidArgument);
  CHECK(free(nullptr) == ZeResult::kInvalidArgument);
}

TEST_CASE("the same memory imported again is another allocation") {
  Pages pages(1);
  REQUIRE(import(pages.start, kPage) == ZeResult::kSuccess);
  const uint64_t first = id_of(pages.start);
  REQUIRE(free(pages.start) == ZeResult::kSuccess);
  REQUIRE(import(pages.start, kPage) == ZeResult::kSuccess);
  CHECK(id_of(pages.start) != first);
  CHECK(free(pages.start) == ZeResult::kSuccess);
}

TEST_CASE("an import is whole pages") {
  Pages pages(3);
  for (const size_t offset : {size_t{1}, size_t{64}, kPage - 1}) {
    CHECK(import(pages.start + offset, kPage) == ZeResult::kInvalidArgument);
    CHECK(import(pages.start, kPage + offset) == ZeResult::kInvalidArgument);
  }
  CHECK(import(pages.start, 0) == ZeResult::kInvalidArgument);
  CHECK(import(reinterpret_cast<void*>(UINTPTR_MAX - kPage + 1), 2 * kPage) ==
        ZeResult::kInvalidArgument);
}

TEST_CASE("imports do not overlap") {
  Pages pages(5);
  char* middle = pages.start + kPage;
  REQUIRE(import(middle, 3 * kPage) == ZeResult::kSuccess);
  CHECK(import(middle, 3 * kPage) == ZeResult::kInvalidArgument);              // the same
  CHECK(import(middle + kPage, kPage) == ZeResult::kInvalidArgument);          // within
  CHECK(import(pages.start, pages.bytes) == ZeResult::kInvalidArgument);       // around
  CHECK(import(pages.start, 2 * kPage) == ZeResult::kInvalidArgument);         // into its beginning
  CHECK(import(middle + 2 * kPage, 2 * kPage) == ZeResult::kInvalidArgument);  // beyond its end
  CHECK(import(pages.start, kPage) == ZeResult::kSuccess);                     // just before
  CHECK(import(middle + 3 * kPage, kPage) == ZeResult::kSuccess);              // just behind
  for (char* start : {pages.start, middle, middle + 3 * kPage}) {
    CHECK(free(start) == ZeResult::kSuccess);
  }
}

TEST_CASE("pages that cannot be written are imported for reading only") {
  Pages readable(2, PROT_READ), secret(1, PROT_NONE);
  CHECK(import(readable.start, kPage) == ZeResult::kOutOfDeviceMemory);
  CHECK(import(readable.start, kPage, kZeHostWriteCombined) == ZeResult::kSuccess);
  CHECK(free(readable.start) == ZeResult::kSuccess);
  CHECK(import(secret.start, kPage) == ZeResult::kOutOfDeviceMemory);
  CHECK(import(secret.start, kPage, kZeHostWriteCombined) == ZeResult::kOutOfDeviceMemory);
}

TEST_CASE("pages that are not there are not imported") {
  Pages pages(3);
  ::munmap(pages.start + kPage, kPage);
  CHECK(import(pages.start, kPage) == ZeResult::kSuccess);
  CHECK(import(pages.start + kPage, kPage) == ZeResult::kOutOfDeviceMemory);
  CHECK(import(pages.start + kPage, 2 * kPage, kZeHostWriteCombined) ==
        ZeResult::kOutOfDeviceMemory);
  CHECK(free(pages.start) == ZeResult::kSuccess);
}

TEST_CASE("an import reads and writes the user's own memory") {
  Pages pages(1);
  std::strcpy(pages.start, "as it was");
  REQUIRE(import(pages.start, kPage) == ZeResult::kSuccess);
  CHECK(std::string(pages.start) == "as it was");
  REQUIRE(free(pages.start) == ZeResult::kSuccess);
  CHECK(std::string(pages.start) == "as it was");
}

TEST_CASE("what a descriptor stands for is mapped anew and shared") {
  const int fd = ::memfd_create("emulator", MFD_CLOEXEC);
  REQUIRE(::ftruncate(fd, 2 * kPage) == 0);
  void* address = nullptr;
  CHECK(import_descriptor(fd, 2 * kPage + 1, &address) == ZeResult::kInvalidArgument);
  CHECK(import_descriptor(fd, 0, &address) == ZeResult::kInvalidArgument);
  CHECK(import_descriptor(-1, kPage, &address) == ZeResult::kInvalidArgument);
  REQUIRE(import_descriptor(fd, 2 * kPage, &address) == ZeResult::kSuccess);
  static_cast<char*>(address)[kPage] = 'x';
  char read = 0;
  CHECK(::pread(fd, &read, 1, kPage) == 1);
  CHECK(read == 'x');
  CHECK(id_of(address) != 0);
  CHECK(free(address) == ZeResult::kSuccess);
  ::close(fd);
}

TEST_CASE("an old driver imports nothing of the user's and says unsupported") {
  if (!in_own_process({{"IMPORT", "no"}})) return;
  Pages pages(1);
  CHECK(import(pages.start, kPage) == ZeResult::kUnsupportedFeature);
  void* address = nullptr;
  REQUIRE(allocate(kPage, 0, &address) == ZeResult::kSuccess);
  CHECK(free(address) == ZeResult::kSuccess);
  const auto refused = traced("import_refused");
  REQUIRE(refused.size() == 1);
  CHECK(refused[0]["why"] == "this driver imports no memory");
}

TEST_CASE("the limit is for everything together and is given back") {
  if (!in_own_process({{"MEMORY_MIB", "1"}})) return;
  constexpr size_t kMib = 1 << 20;
  MemoryQuery query{};
  const auto in_use = [&] {
    REQUIRE(driver().graph.context_memory(nullptr, 0, &query) == ZeResult::kSuccess);
    CHECK(query.total == kMib);
    return query.allocated;
  };
  void *half = nullptr, *other = nullptr;
  Pages pages(kMib / kPage);
  CHECK(allocate(kMib + 1, 0, &half) == ZeResult::kOutOfDeviceMemory);
  REQUIRE(allocate(kMib / 2, 0, &half) == ZeResult::kSuccess);
  CHECK(in_use() == kMib / 2);
  CHECK(allocate(kMib / 2 + 1, 0, &other) == ZeResult::kOutOfDeviceMemory);
  CHECK(import(pages.start, kMib / 2 + kPage) == ZeResult::kOutOfDeviceMemory);
  REQUIRE(import(pages.start, kMib / 2) == ZeResult::kSuccess);
  CHECK(in_use() == kMib);
  CHECK(allocate(1, 0, &other) == ZeResult::kOutOfDeviceMemory);
  const int fd = ::memfd_create("emulator", MFD_CLOEXEC);
  REQUIRE(::ftruncate(fd, kPage) == 0);
  CHECK(import_descriptor(fd, kPage, &other) == ZeResult::kOutOfDeviceMemory);
  CHECK(free(half) == ZeResult::kSuccess);
  CHECK(import_descriptor(fd, kPage, &other) == ZeResult::kSuccess);
  CHECK(free(other) == ZeResult::kSuccess);
  CHECK(free(pages.start) == ZeResult::kSuccess);
  CHECK(in_use() == 0);
  ::close(fd);
}

TEST_CASE("the trace says of all memory whose it is") {
  if (!in_own_process({})) return;
  Pages pages(1);
  void *own = nullptr, *mapped = nullptr;
  const int fd = ::memfd_create("emulator", MFD_CLOEXEC);
  REQUIRE(::ftruncate(fd, kPage) == 0);
  REQUIRE(allocate(10, 0, &own) == ZeResult::kSuccess);
  REQUIRE(import(pages.start, kPage, kZeHostWriteCombined) == ZeResult::kSuccess);
  REQUIRE(import_descriptor(fd, kPage, &mapped) == ZeResult::kSuccess);
  const std::vector<uint64_t> ids = {id_of(own), id_of(pages.start), id_of(mapped)};
  for (void* address : {own, static_cast<void*>(pages.start), mapped}) free(address);
  const auto allocated = traced("allocate"), imported = traced("import"), freed = traced("free");
  REQUIRE(allocated.size() == 1);
  CHECK(allocated[0]["bytes"] == kPage);
  CHECK(allocated[0]["write_combined"] == false);
  REQUIRE(imported.size() == 2);
  CHECK(imported[0]["read_only"] == true);
  CHECK(imported[1]["read_only"] == false);
  REQUIRE(freed.size() == 3);
  const char* kinds[] = {"allocated", "imported", "descriptor"};
  for (size_t index = 0; index < 3; ++index) {
    CHECK(freed[index]["memory"] == kinds[index]);
    CHECK(freed[index]["id"] == ids[index]);
  }
  ::close(fd);
}

}  // namespace
}  // namespace npu_emulator
