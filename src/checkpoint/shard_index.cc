// The index is JSON; what it says is believed only as far as the shards bear it out.
#include "checkpoint/shard_index.h"

#include <nlohmann/json.hpp>
#include <string_view>
#include <unordered_set>

#include "base/json.h"
#include "base/limits.h"
#include "base/message_text.h"
#include "checkpoint/json_facts.h"

namespace ovenbird {
namespace {

/// A shard lies beside the index and cannot be anything but a safetensors file.
bool is_shard_name(std::string_view name) {
  return name.ends_with(".safetensors") && name.find('/') == std::string_view::npos &&
         is_tensor_name(name);
}

}  // namespace

Result<ShardIndex> parse_shard_index(const std::string& text) {
  const auto json = parse_json(
      text, {.bytes_max = limits::kIndexBytesMax, .duplicate_keys = DuplicateKeys::kRefuse});
  if (!json) return fail_in(kShardIndexName, json.error());
  JsonFacts facts(*json, kShardIndexName);
  const nlohmann::json* map = facts.object("weight_map");
  if (!map) facts.refuse(Code::kCorrupt, std::string(kShardIndexName) + " has no weight_map");
  if (facts.fault()) return Failure{*facts.fault()};
  ShardIndex index;
  for (const auto& [tensor, shard] : map->items()) {
    const auto* name = shard.get_ptr<const std::string*>();
    if (!name || !is_shard_name(*name)) {
      return fail(Code::kCorrupt, std::string(kShardIndexName) + ": the tensor " +
                                      in_quotes(tensor) + " lies in " +
                                      in_quotes(name ? *name : "") +
                                      ", which is no name of a safetensors file beside it");
    }
    index.shards.insert(*name);
    index.places.emplace_back(tensor, *name);
  }
  if (index.shards.empty() || index.shards.size() > limits::kShardsMax) {
    return fail(Code::kCorrupt, std::string(kShardIndexName) + " names " +
                                    std::to_string(index.shards.size()) +
                                    " files; accepted: 1 to " + std::to_string(limits::kShardsMax));
  }
  return index;
}

Status check_shards(const ShardIndex& index, const std::vector<StoredTensor>& tensors) {
  std::unordered_set<std::string_view> names;
  for (const StoredTensor& tensor : tensors) {
    if (!names.insert(tensor.name).second) {
      return fail(Code::kCorrupt, "two shards hold the tensor " + in_quotes(tensor.name));
    }
  }
  for (const auto& [tensor, shard] : index.places) {
    if (!names.contains(tensor)) {
      return fail(Code::kCorrupt, std::string(kShardIndexName) + " names the tensor " +
                                      in_quotes(tensor) + ", which " + in_quotes(shard) +
                                      " does not hold");
    }
  }
  return ok();
}

}  // namespace ovenbird
