// Moving rows of keys and values about.
#include "session/cache_slot.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace ovenbird {

Result<CacheSlot> CacheSlot::create(const Manifest& manifest, uint32_t rows_max, Pages pages) {
  const ModelFacts& model = manifest.model;
  const size_t tensor =
      size_t{model.kv_heads} * rows_max * model.head_dim * bytes_of(manifest.cache_type);
  Result<PageMemory> memory = PageMemory::allocate(2 * model.layers * tensor, pages);
  if (!memory) return fail_in("allocate cache", memory.error());
  return CacheSlot(manifest, rows_max, std::move(*memory));
}

CacheSlot::CacheSlot(const Manifest& manifest, uint32_t rows_max, PageMemory memory)
    : kv_heads_(manifest.model.kv_heads),
      head_dim_(manifest.model.head_dim),
      type_(manifest.cache_type),
      rope_frequencies_(manifest.model.rope_frequencies),
      row_bytes_(size_t{head_dim_} * bytes_of(type_)),
      rows_max_(rows_max),
      memory_(std::move(memory)),
      stack_(memory_.bytes(), 2 * size_t{manifest.model.layers},
             size_t{kv_heads_} * rows_max * row_bytes_) {}

void CacheSlot::set_capacity(uint32_t capacity) {
  OVENBIRD_CHECK(rows_ <= capacity && capacity <= rows_max_);
  if (capacity == capacity_) return;
  const size_t used = rows_ * row_bytes_;
  for (std::byte* tensor : stack_.tensors) {
    for (uint32_t i = 0; i < kv_heads_; ++i) {
      // Growing, the last head moves first; shrinking, the first: none runs over another.
      const size_t head = capacity > capacity_ ? kv_heads_ - 1 - i : i;
      std::memmove(tensor + head * capacity * row_bytes_, tensor + head * capacity_ * row_bytes_,
                   used);
    }
  }
  capacity_ = capacity;
}

void CacheSlot::append(const std::vector<std::byte*>& present, uint32_t width, uint32_t first,
                       uint32_t count) {
  OVENBIRD_CHECK(present.size() == stack_.tensors.size());
  OVENBIRD_CHECK(rows_ + count <= capacity_ && first + count <= width);
  for (size_t index = 0; index < stack_.tensors.size(); ++index) {
    for (size_t head = 0; head < kv_heads_; ++head) {
      std::memcpy(stack_.tensors[index] + (head * capacity_ + rows_) * row_bytes_,
                  present[index] + (head * width + first) * row_bytes_, count * row_bytes_);
    }
  }
  rows_ += count;
}

void CacheSlot::truncate(uint32_t count) {
  OVENBIRD_CHECK(count <= rows_);
  rows_ = count;
}

void CacheSlot::drop(uint32_t first, uint32_t count) {
  OVENBIRD_CHECK(first + count <= rows_);
  const uint32_t behind = rows_ - first - count;
  const KeyRotation rotation(rope_frequencies_, -int64_t{count});
  for (size_t index = 0; index < stack_.tensors.size(); ++index) {
    move_rows(stack_.tensors[index], first + count, first, behind);
    if (index % 2 == 0) turn_keys(stack_.tensors[index], first, behind, rotation);
  }
  rows_ -= count;
}

void CacheSlot::move_rows(std::byte* tensor, uint32_t from, uint32_t to, uint32_t count) const {
  for (size_t head = 0; head < kv_heads_; ++head) {
    std::byte* rows = tensor + head * capacity_ * row_bytes_;
    std::memmove(rows + to * row_bytes_, rows + from * row_bytes_, count * row_bytes_);
  }
}

void CacheSlot::turn_keys(std::byte* keys, uint32_t first, uint32_t count,
                          const KeyRotation& rotation) const {
  const KeyRows which{.kv_heads = kv_heads_,
                      .past = capacity_,
                      .head_dim = head_dim_,
                      .first_row = first,
                      .rows = count};
  const size_t numbers = size_t{kv_heads_} * capacity_ * head_dim_;
  if (type_ == CacheType::kF16) {
    rotation.apply(std::span(reinterpret_cast<uint16_t*>(keys), numbers), which);
  } else {
    rotation.apply(std::span(reinterpret_cast<float*>(keys), numbers), which);
  }
}

}  // namespace ovenbird
