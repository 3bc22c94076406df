// The safetensors files of a directory: one, or the shards that an index names.
#include "checkpoint/hugging_face_files.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "base/json.h"
#include "base/limits.h"
#include "base/message_text.h"
#include "checkpoint/json_facts.h"
#include "checkpoint/safetensors_file.h"

namespace ovenbird {
namespace {

constexpr char kSingleName[] = "model.safetensors";
constexpr char kIndexName[] = "model.safetensors.index.json";

/// A shard lies beside the index and cannot be anything but a safetensors file.
bool is_shard_name(std::string_view name) {
  return name.ends_with(".safetensors") && name.find('/') == std::string_view::npos &&
         is_tensor_name(name);
}

struct Index {
  std::set<std::string> shards;
  std::vector<std::pair<std::string, std::string>> places;  // tensor, shard
};

Result<Index> parse_index(const std::string& text) {
  const auto json = parse_json(
      text, {.bytes_max = limits::kIndexBytesMax, .duplicate_keys = DuplicateKeys::kRefuse});
  if (!json) return fail_in(kIndexName, json.error());
  JsonFacts facts(*json, kIndexName);
  const nlohmann::json* map = facts.object("weight_map");
  if (!map) facts.refuse(Code::kCorrupt, std::string(kIndexName) + " has no weight_map");
  if (facts.fault()) return Failure{*facts.fault()};
  Index index;
  for (const auto& [tensor, shard] : map->items()) {
    const auto* name = shard.get_ptr<const std::string*>();
    if (!name || !is_shard_name(*name)) {
      return fail(Code::kCorrupt, std::string(kIndexName) + ": the tensor " + in_quotes(tensor) +
                                      " lies in " + in_quotes(name ? *name : "") +
                                      ", which is no name of a safetensors file beside it");
    }
    index.shards.insert(*name);
    index.places.emplace_back(tensor, *name);
  }
  if (index.shards.empty() || index.shards.size() > limits::kShardsMax) {
    return fail(Code::kCorrupt, std::string(kIndexName) + " names " +
                                    std::to_string(index.shards.size()) +
                                    " files; accepted: 1 to " + std::to_string(limits::kShardsMax));
  }
  return index;
}

/// Maps one file and adds its tensors.
Status add_file(const std::filesystem::path& directory, const std::string& name,
                HuggingFaceFiles& out) {
  auto file = MappedFile::open(directory / name);
  if (!file) return Failure{file.error()};
  auto tensors = read_safetensors(file->bytes());
  if (!tensors) return fail_in(name, tensors.error());
  out.files.push_back(*std::move(file));
  std::move(tensors->begin(), tensors->end(), std::back_inserter(out.tensors));
  if (out.tensors.size() > limits::kTensorsMax) {
    return fail(Code::kCorrupt,
                "the shards hold more than " + std::to_string(limits::kTensorsMax) + " tensors");
  }
  return ok();
}

Status check_names(const HuggingFaceFiles& files, const Index& index) {
  std::unordered_set<std::string_view> names;
  for (const StoredTensor& tensor : files.tensors) {
    if (!names.insert(tensor.name).second) {
      return fail(Code::kCorrupt, "two shards hold the tensor " + in_quotes(tensor.name));
    }
  }
  for (const auto& [tensor, shard] : index.places) {
    if (!names.contains(tensor)) {
      return fail(Code::kCorrupt, std::string(kIndexName) + " names the tensor " +
                                      in_quotes(tensor) + ", which " + in_quotes(shard) +
                                      " does not hold");
    }
  }
  return ok();
}

Result<HuggingFaceFiles> open_shards(const std::filesystem::path& directory) {
  auto text = read_text(directory / kIndexName, limits::kIndexBytesMax);
  if (!text) return Failure{text.error()};
  if (text->empty()) {
    return fail(Code::kNotFound, "it has neither " + std::string(kSingleName) + " nor " +
                                     kIndexName + " (other weight files are not read)");
  }
  const auto index = parse_index(*text);
  if (!index) return Failure{index.error()};
  HuggingFaceFiles files;
  for (const std::string& shard : index->shards) {
    if (Status added = add_file(directory, shard, files); !added) return Failure{added.error()};
  }
  if (Status names = check_names(files, *index); !names) return Failure{names.error()};
  return files;
}

}  // namespace

Result<HuggingFaceFiles> open_safetensors(const std::filesystem::path& directory) {
  std::error_code error;
  if (!std::filesystem::exists(directory / kSingleName, error)) return open_shards(directory);
  HuggingFaceFiles files;
  if (Status added = add_file(directory, kSingleName, files); !added) {
    return Failure{added.error()};
  }
  return files;
}

Result<std::string> read_text(const std::filesystem::path& path, size_t bytes_max) {
  const auto file = MappedFile::open(path);
  if (!file && file.error().code == Code::kNotFound) return std::string();
  if (!file) return Failure{file.error()};
  const auto bytes = file->bytes();
  if (bytes.size() > bytes_max) {
    return fail(Code::kCorrupt, path.filename().string() + " has " + std::to_string(bytes.size()) +
                                    " bytes; at most " + std::to_string(bytes_max) + " are read");
  }
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

}  // namespace ovenbird
