// A slot's memory that outlives what works on it, as an arena's does.
#pragma once

#include <cstddef>
#include <cstring>
#include <functional>
#include <random>
#include <span>
#include <utility>

#include <doctest/doctest.h>

#include "base/page_memory.h"
#include "bundle/manifest.h"
#include "session/slot_memory.h"
#include "wire/slot_header.h"

namespace ovenbird {

inline PageMemory shared_pages(size_t bytes) {
  Result<PageMemory> memory = PageMemory::allocate(bytes, Pages::kShared);
  REQUIRE(memory);
  return std::move(*memory);
}

/// Shared with child processes.
struct DurableSlot {
  DurableSlot(const Manifest& manifest, uint32_t rows_max)
      : pages(shared_pages(manifest.slot_bytes(rows_max))),
        header_page(shared_pages(sizeof(wire::SlotHeader))),
        scratch(shared_pages(manifest.head_bytes(rows_max))) {}

  wire::SlotHeader& header() const {
    return *reinterpret_cast<wire::SlotHeader*>(header_page.bytes().data());
  }
  SlotMemory memory(std::function<void()> on_store = {}) const {
    return {.pages = pages.bytes(),
            .header = &header(),
            .scratch = scratch.bytes(),
            .on_store = std::move(on_store)};
  }

  PageMemory pages;
  PageMemory header_page;
  PageMemory scratch;
};

/// What a test throws where a process would die.
struct Death {};

/// Dies at the store after `stores` more; -1: never.
class DeathAt {
 public:
  explicit DeathAt(int stores) : left_(stores) {}
  void operator()() {
    if (left_-- == 0) throw Death();
  }

 private:
  int left_;
};

/// What bytes may be that somebody was just writing.
inline void scribble(std::span<std::byte> bytes, std::mt19937& random) {
  for (std::byte& byte : bytes) {
    if (random() % 2 == 0) byte = static_cast<std::byte>(random());
  }
}

}  // namespace ovenbird
