// Any text as an index of shards, and, behind a NUL, a list of the tensors that the shards hold:
// what is accepted names files beside it, and each tensor is there once.
#include "checkpoint/shard_index.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/check.h"
#include "base/json.h"
#include "heap_bound.h"

namespace ovenbird {
namespace {

std::vector<StoredTensor> tensors_of(std::string_view text) {
  std::vector<StoredTensor> tensors;
  const auto names = parse_json(text);
  if (!names || !names->is_array()) return tensors;
  for (const auto& name : *names) {
    if (name.is_string()) tensors.push_back({.name = name.get<std::string>()});
  }
  return tensors;
}

void check(const ShardIndex& index, const std::vector<StoredTensor>& tensors) {
  OVENBIRD_CHECK(!index.shards.empty());
  for (const std::string& shard : index.shards) {
    OVENBIRD_CHECK(shard.ends_with(".safetensors") && shard.find('/') == shard.npos);
    OVENBIRD_CHECK(shard.find('\0') == shard.npos);
  }
  if (const Status checked = check_shards(index, tensors); !checked) {
    OVENBIRD_CHECK(!checked.error().message.empty());
    return;
  }
  std::unordered_map<std::string_view, size_t> held;
  for (const StoredTensor& tensor : tensors) ++held[tensor.name];
  for (const auto& [tensor, count] : held) OVENBIRD_CHECK(count == 1);
  for (const auto& [tensor, shard] : index.places) {
    OVENBIRD_CHECK(held.contains(tensor) && index.shards.contains(shard));
  }
}

}  // namespace
}  // namespace ovenbird

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ovenbird;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t cut = input.find('\0');
  const std::string text(input.substr(0, cut));
  const auto tensors = tensors_of(cut == input.npos ? text : input.substr(cut + 1));
  const HeapBound bound(size);
  const auto index = parse_shard_index(text);
  if (index) {
    check(*index, tensors);
  } else {
    OVENBIRD_CHECK(!index.error().message.empty());
  }
  return 0;
}
