// Memory that a plan is given instead of taking its own, so that what it holds outlives the
// process.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>

#include "wire/slot_header.h"

namespace ovenbird {

/// Where a slot lives. Owned by the caller, alive as long as the slot; zeroed, it is an empty one.
struct SlotMemory {
  std::span<std::byte> pages;  // page-aligned; Manifest::slot_bytes(rows_max), up to whole pages
  wire::SlotHeader* header = nullptr;
  /// Manifest::head_bytes(rows_max). All slots of an arena may share it: one thread moves the rows
  /// of one slot at a time. So what a process left there when it died must be used before any slot
  /// moves rows again: see CacheSlot::finish_move().
  std::span<std::byte> scratch;
  /// For tests that end the process in the middle: called after each store to the header.
  std::function<void()> on_store = {};
};

/// What a plan lives in.
struct PlanMemory {
  /// Room for cache_rows(manifest, plan) rows; a plan that is given none takes memory of its own.
  std::optional<SlotMemory> slot;
  /// Where logits are written: whole pages, logit_rows_max(manifest, plan) rows. Plans that run one
  /// after another may share it. Empty: each graph of the plan takes memory of its own.
  std::span<float> logits;
};

}  // namespace ovenbird
