// model.safetensors.index.json: which file holds which tensor of a checkpoint in several files.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/stored_tensor.h"
#include "ovenbird/result.hpp"

namespace ovenbird {

inline constexpr char kShardIndexName[] = "model.safetensors.index.json";

struct ShardIndex {
  std::set<std::string> shards;                             // names of files beside the index
  std::vector<std::pair<std::string, std::string>> places;  // tensor, shard
};

/// Errors: kCorrupt, naming the index.
Result<ShardIndex> parse_shard_index(const std::string& text);

/// Whether the tensors of all shards are there once each, those that the index names among them.
/// Errors: kCorrupt.
Status check_shards(const ShardIndex& index, const std::vector<StoredTensor>& tensors);

}  // namespace ovenbird
