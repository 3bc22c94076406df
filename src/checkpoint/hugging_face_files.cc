// The safetensors files of a directory: one, or the shards that an index names.
#include "checkpoint/hugging_face_files.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "checkpoint/safetensors_file.h"
#include "checkpoint/shard_index.h"

namespace ovenbird {
namespace {

constexpr char kSingleName[] = "model.safetensors";

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

Result<HuggingFaceFiles> open_shards(const std::filesystem::path& directory) {
  auto text = read_text(directory / kShardIndexName, limits::kIndexBytesMax);
  if (!text) return Failure{text.error()};
  if (text->empty()) {
    return fail(Code::kNotFound, "it has neither " + std::string(kSingleName) + " nor " +
                                     kShardIndexName + " (other weight files are not read)");
  }
  const auto index = parse_shard_index(*text);
  if (!index) return Failure{index.error()};
  HuggingFaceFiles files;
  for (const std::string& shard : index->shards) {
    if (Status added = add_file(directory, shard, files); !added) return Failure{added.error()};
  }
  if (Status names = check_shards(*index, files.tensors); !names) return Failure{names.error()};
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
